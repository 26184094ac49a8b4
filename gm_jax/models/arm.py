"""Autoregressive model of the raster of levels, by dilated causal convolutions.

An image is a sequence of values, pixels row by row and channels within a pixel, and the network a
stack of causal 1-D convolutions over it (WaveNet: van den Oord et al. 2016, arXiv:1609.03499). The
sequence is shifted by one before the first layer, so that position i sees values before i only.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.functional.ancestral_sampling import Draws, sample_cached
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.model import Array
from gm_jax.models.autoregressive import Autoregressive
from gm_jax.nets.causal import CausalConv, gate
from gm_jax.nets.initializers import Initializer, initial
from gm_jax.nets.mlp import Activation, activation_of
from gm_jax.nets.pixelcnn import told
from gm_jax.optimizer import Optimizer


@dataclasses.dataclass(frozen=True)
class ARM(Autoregressive):
    """A 1x1 convolution, then causal ones; the last of them makes the logits."""

    channels: int = 256
    """Of all hidden layers."""
    kernel_size: int = 11
    """Taps of each causal convolution."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Distance between the taps of each causal convolution, that of the logits being the last."""
    activation: Activation = "leaky_relu"
    """Between the layers, where they are not gated."""
    gated: bool = False
    """Whether the hidden layers are gated residual ones with skips to the output (WaveNet)."""
    slope: float = 0.2
    """Of leaky_relu below 0."""
    initializer: Initializer = "lecun_normal"
    """How the weights start."""
    optimizer: Optimizer = Optimizer(name="adamax", learning_rate=1e-3)
    """How the parameters move."""

    def __post_init__(self) -> None:
        check_positive(self, "channels", "kernel_size", "dilations")
        check_not_negative(self, "slope")
        if not self.dilations:
            raise ConfigError("ARM.dilations needs one entry at least, that of the output layer")

    def quick(self) -> "ARM":
        return dataclasses.replace(
            self,
            channels=4,
            kernel_size=min(self.kernel_size, 3),
            dilations=(*self.dilations[:1], *self.dilations[1:][-1:]),
        )

    def _inputs(self, x: Array) -> Array:
        """The sequence, shifted: at i the value before it, and which channel i is; [B, D, F]."""
        batch, channels = len(x), x.shape[-1]
        values = x.reshape(batch, -1, 1)  # [B, D, 1]
        shifted = jnp.pad(values[:, :-1], ((0, 0), (1, 0), (0, 0)))
        if channels == 1:
            return shifted
        which = jnp.tile(jnp.eye(channels), (values.shape[1] // channels, 1))  # [D, C]
        which = jnp.broadcast_to(which, (batch, *which.shape))
        return jnp.concatenate([shifted, which], -1)

    def _network(self, spec: DataSpec) -> nn.Module:
        return CausalNet(
            spec.num_levels,
            self.channels,
            self.kernel_size,
            self.dilations,
            self.activation,
            self.gated,
            self.slope,
            self.initializer,
        )

    def _sample_cached(
        self, params: Any, draws: Draws, label: Array | None, spec: DataSpec
    ) -> Array:
        network, channels = self._network(spec), spec.shape[-1]

        def logits_at(cache: Any, x: Array, d: Array) -> tuple[Array, Any]:
            before = to_symmetric(x[:, d - 1], spec.num_levels)  # [B]
            column = jnp.where(d == 0, 0.0, before)[:, None]
            if channels > 1:
                which = jax.nn.one_hot(d % channels, channels)
                which = jnp.broadcast_to(which, (len(x), channels))
                column = jnp.concatenate([column, which], -1)  # [B, F]
            logits, moved = network.apply(
                {"params": params, "cache": cache}, column[:, None], label, d, mutable=["cache"]
            )
            return jnp.asarray(logits)[:, 0], moved.get("cache", {})

        zero = jnp.zeros((), jnp.int32)
        shapes = jax.eval_shape(lambda: logits_at({}, draws.start, zero)[1])
        cache = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
        return sample_cached(lambda cache, x, row: cache, logits_at, cache, draws)


class CausalNet(nn.Module):
    """Inputs [B, D, F] and one-hot labels [B, K] (or None) to logits [B, D, L].

    With `at`, position d, from the inputs there, [B, 1, F], to its logits [B, 1, L].
    """

    num_levels: int
    channels: int
    kernel_size: int
    dilations: tuple[int, ...]
    activation: Activation
    gated: bool
    slope: float
    initializer: Initializer

    @nn.compact
    def __call__(self, x: Array, label: Array | None, at: Array | None = None) -> Array:
        *hidden, last = self.dilations
        activation = activation_of(self.activation, self.slope)

        def conv(features: int, dilation: int) -> CausalConv:
            return CausalConv(features, self.kernel_size, dilation, self.initializer)

        def dense(h: Array) -> Array:
            y: Array = nn.Dense(self.channels, **initial(self.initializer, h.shape[-1]))(h)
            return y

        h = dense(x)
        if self.gated:
            skips = []
            for dilation in hidden:
                both = conv(2 * self.channels, dilation)(h, at)
                inner = gate(told(both, label))
                skips.append(dense(inner))
                h = h + dense(inner)
            h = nn.relu(sum(skips, start=h))
        else:
            h = activation(told(h, label))
            for dilation in hidden:
                h = conv(self.channels, dilation)(h, at)
                h = activation(told(h, label))
        logits: Array = conv(self.num_levels, last)(h, at)
        return logits
