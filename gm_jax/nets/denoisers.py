"""Networks that look at x_t and at the step t: the base of them all, and a dense one.

A denoiser is a frozen config that builds the Linen module for data of a given shape.
"""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.config_types import Config
from gm_jax.errors import check_not_negative, check_positive
from gm_jax.nets.initializers import Initializer, initial, last
from gm_jax.nets.mlp import Activation, activation_of

Shape = tuple[int, ...]

_LONGEST_PERIOD = 10_000.0  # in steps of 1000 (Vaswani et al. 2017)


@dataclasses.dataclass(frozen=True)
class Denoiser(Config):
    """Builds a module (x [B, H, W, C], t [B], label [B] or None, train) -> float32 [B, H, W, P C].

    t runs from 0 to 1000 whatever the number of steps; a label of `num_classes` stands for none.
    """

    def module(
        self, shape: Shape, num_outputs: int, num_classes: int | None, dtype: Any
    ) -> nn.Module:
        """The module for data of shape [H, W, C].

        Args:
          shape: of one example.
          num_outputs: channels of the output, P C.
          num_classes: labels that it may be given; None: none.
          dtype: it computes in.
        """
        raise NotImplementedError

    def quick(self) -> "Denoiser":
        """A narrow version for tests."""
        return self


@dataclasses.dataclass(frozen=True)
class DenseDenoiser(Denoiser):
    """Fully connected layers, each told the step: for points and for small images."""

    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the hidden layers."""
    activation: Activation = "silu"
    """After each hidden layer."""
    embedding_dim: int = 64
    """Size of the step's embedding."""
    slope: float = 0.2
    """Of leaky_relu below 0."""
    initializer: Initializer = "lecun_normal"
    """How the weights start."""
    zero_last: bool = True
    """Whether the last layer is zeros at first, and so the output."""

    def __post_init__(self) -> None:
        check_positive(self, "hidden", "embedding_dim")
        check_not_negative(self, "slope")

    def module(
        self, shape: Shape, num_outputs: int, num_classes: int | None, dtype: Any
    ) -> nn.Module:
        return DenseDenoiserNet(self, num_outputs, num_classes, dtype)

    def quick(self) -> "DenseDenoiser":
        return dataclasses.replace(
            self, hidden=tuple(min(h, 16) for h in self.hidden), embedding_dim=8
        )


class DenseDenoiserNet(nn.Module):
    """The module of a DenseDenoiser."""

    config: DenseDenoiser
    num_outputs: int
    num_classes: int | None
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, t: jax.Array, label: Any, train: bool) -> jax.Array:
        config, shape = self.config, (*x.shape[:-1], self.num_outputs)
        size, initializer = config.embedding_dim, config.initializer
        embedding = StepEmbedding(size, size, self.num_classes, self.dtype, initializer)(t, label)
        h = x.reshape(len(x), -1)  # [B, D]
        activation = activation_of(config.activation, config.slope)
        from_step = initial(initializer, size)
        for width in config.hidden:
            told = nn.Dense(width, use_bias=False, dtype=self.dtype, **from_step)(embedding)
            start = initial(initializer, h.shape[-1])
            h = activation(nn.Dense(width, dtype=self.dtype, **start)(h) + told)
        end = last(initializer, h.shape[-1], config.zero_last)
        out = nn.Dense(math.prod(shape[1:]), dtype=self.dtype, **end)(h)
        return out.reshape(shape).astype(jnp.float32)


class StepEmbedding(nn.Module):
    """Steps [B] in 0 .. 1000, and labels [B] if any, to [B, features], activated.

    Sinusoids through two dense layers, as in DDPM (Ho et al. 2020, arXiv:2006.11239, appendix B);
    labels are looked up and added (Dhariwal & Nichol 2021, arXiv:2105.05233).
    """

    num_sinusoids: int
    features: int
    num_classes: int | None
    dtype: Any
    initializer: Initializer = "lecun_normal"

    @nn.compact
    def __call__(self, t: jax.Array, label: Any) -> jax.Array:
        h = sinusoids(t, self.num_sinusoids)
        h = nn.Dense(self.features, dtype=self.dtype, **initial(self.initializer, h.shape[-1]))(h)
        start = initial(self.initializer, self.features)
        h = nn.Dense(self.features, dtype=self.dtype, **start)(nn.silu(h))
        if self.num_classes is not None:
            # The last entry is that of no label.
            h += nn.Embed(self.num_classes + 1, self.features, dtype=self.dtype)(label)
        return nn.silu(h)


def sinusoids(t: jax.Array, num: int) -> jax.Array:
    """Sines and cosines of steps [B] at geometric frequencies, float32 [B, num rounded up]."""
    half = (num + 1) // 2
    frequencies = jnp.exp(-math.log(_LONGEST_PERIOD) * jnp.arange(half) / max(half - 1, 1))
    angles = t.astype(jnp.float32)[:, None] * frequencies[None]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
