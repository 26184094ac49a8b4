"""The U-Net of DDPM (Ho et al. 2020, arXiv:2006.11239, appendix B; Salimans et al. 2017).

Residual blocks that are told the step, halved and doubled maps with skips between maps of one
size, and self-attention on the maps that are small enough.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.errors import ConfigError, check_fraction, check_positive
from gm_jax.nets.attention import SelfAttention
from gm_jax.nets.conv import Conv
from gm_jax.nets.denoisers import Denoiser, Shape, StepEmbedding
from gm_jax.nets.norm import group_norm

_KERNEL_INIT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
_ZERO = nn.initializers.zeros


@dataclasses.dataclass(frozen=True)
class UNet(Denoiser):
    """A U-Net for images of any size; the defaults are those of DDPM on CIFAR-10."""

    channels: int = 128
    """Channels of the largest map, in units of which the others are given."""
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    """Channels of the maps, the largest map first; each is half as high and wide as the last."""
    num_blocks: int = 2
    """Residual blocks of each map on the way down (one more on the way up)."""
    attention: tuple[int, ...] = (16,)
    """Heights of the maps with self-attention."""
    middle_attention: bool | None = None
    """Whether the middle, between the way down and the way up, has it (None: where any map has)."""
    num_heads: int = 1
    """Of each attention."""
    dropout: float = 0.1
    """Probability of dropping a value, within each residual block."""

    def __post_init__(self) -> None:
        check_positive(self, "channels", "multipliers", "num_blocks", "num_heads")
        check_fraction(self, "dropout")
        for m in self.multipliers:
            if self.channels * m % self.num_heads:
                raise ConfigError(
                    f"UNet.num_heads {self.num_heads} does not divide {self.channels * m} channels"
                )

    def module(
        self, shape: Shape, num_outputs: int, num_classes: int | None, dtype: Any
    ) -> nn.Module:
        return UNetNet(self, num_outputs, num_classes, dtype)

    def quick(self) -> "UNet":
        return dataclasses.replace(
            self,
            channels=4 * self.num_heads,
            multipliers=(1,),
            num_blocks=1,
            attention=(),
            middle_attention=self.middle_attention or bool(self.attention),
        )


class UNetNet(nn.Module):
    """The module of a UNet; its output starts at 0."""

    config: UNet
    num_outputs: int
    num_classes: int | None
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, t: jax.Array, label: Any, train: bool) -> jax.Array:
        config, dtype = self.config, self.dtype
        widths = [config.channels * m for m in config.multipliers]
        embedding = StepEmbedding(config.channels, 4 * config.channels, self.num_classes, dtype)(
            t, label
        )  # [B, E]

        def block(h: jax.Array, width: int, attend: bool) -> jax.Array:
            h = ResidualBlock(width, config.dropout, dtype)(h, embedding, train)
            return SelfAttention(config.num_heads, dtype)(h) if attend else h

        h = _conv(config.channels, dtype)(x.astype(dtype))
        skips = [h]
        for i, width in enumerate(widths):
            for _ in range(config.num_blocks):
                h = block(h, width, h.shape[1] in config.attention)
                skips.append(h)
            if i + 1 < len(widths):
                h = _conv(width, dtype, strides=2)(h)
                skips.append(h)
        middle = config.middle_attention
        h = block(h, widths[-1], bool(config.attention) if middle is None else middle)
        h = block(h, widths[-1], attend=False)
        for i, width in reversed(list(enumerate(widths))):
            for _ in range(config.num_blocks + 1):
                h = jnp.concatenate([h, skips.pop()], axis=-1)
                h = block(h, width, h.shape[1] in config.attention)
            if i:
                height, breadth = skips[-1].shape[1:3]
                # An odd map was halved upwards: what is doubled is cropped to it.
                h = _conv(width, dtype)(_doubled(h)[:, :height, :breadth])
        h = nn.silu(group_norm(h.shape[-1], dtype)(h))
        return _conv(self.num_outputs, dtype, init=_ZERO)(h).astype(jnp.float32)


class ResidualBlock(nn.Module):
    """x [B, H, W, C] and the step's embedding [B, E] to [B, H, W, features]; at first a shortcut.

    The shortcut is x itself, or a map of its channels where their number changes.
    """

    features: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, embedding: jax.Array, train: bool) -> jax.Array:
        channels = x.shape[-1]
        h = _conv(self.features, self.dtype)(nn.silu(group_norm(channels, self.dtype)(x)))
        told = nn.Dense(self.features, kernel_init=_KERNEL_INIT, dtype=self.dtype)(embedding)
        h += told[:, None, None, :]
        h = nn.silu(group_norm(self.features, self.dtype)(h))
        h = nn.Dropout(self.dropout, deterministic=not train)(h)
        h = _conv(self.features, self.dtype, init=_ZERO)(h)
        if channels != self.features:
            x = nn.Dense(self.features, kernel_init=_KERNEL_INIT, dtype=self.dtype)(x)
        return x + h


def _conv(features: int, dtype: Any, strides: int = 1, init: Any = _KERNEL_INIT) -> nn.Module:
    return Conv(features, (3, 3), strides=(strides, strides), kernel_init=init, dtype=dtype)


def _doubled(x: jax.Array) -> jax.Array:
    """Each place four times: [B, H, W, C] -> [B, 2 H, 2 W, C]."""
    return x.repeat(2, axis=1).repeat(2, axis=2)
