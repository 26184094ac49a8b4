"""The networks that give couplings of normalizing flows their scale and shift.

Each maps (x, condition) to float32 [B, ..., num_outputs]. `condition` is a vector [B, M] (labels,
one-hot), a map [B, H, W, C'], or None.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.nets.conv import Conv
from gm_jax.nets.initializers import Initializer, initial, last
from gm_jax.nets.mlp import MLP, Activation, activation_of

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Style:
    """What the networks of a flow have in common.

    Attributes:
      activation: between layers.
      slope: of leaky_relu below 0.
      initializer: of all layers, but perhaps of the last.
      zero_last: whether the last layer is zeros at first, so that the outputs are.
      dtype: the networks compute in.
    """

    activation: Activation
    slope: float
    initializer: Initializer
    zero_last: bool
    dtype: Any


class DenseConditioner(nn.Module):
    """x [B, D] -> [B, num_outputs]."""

    num_outputs: int
    hidden: tuple[int, ...]
    style: Style

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        style = self.style
        if condition is not None:
            x = jnp.concatenate([x, condition.reshape(len(condition), -1)], axis=-1)
        h = MLP(
            self.hidden,
            style.activation,
            activate_final=True,
            slope=style.slope,
            initializer=style.initializer,
            dtype=style.dtype,
        )(x)
        ends = last(style.initializer, h.shape[-1], style.zero_last)
        return nn.Dense(self.num_outputs, dtype=style.dtype, **ends)(h).astype(jnp.float32)


class ConvConditioner(nn.Module):
    """x [B, H, W, C] -> [B, H, W, num_outputs].

    One 3x3 convolution, then `blocks` more layers: residual ones (3x3, then 1x1), or plain 3x3
    convolutions. No activation is normalized here: the flow's own normalization does that.
    """

    num_outputs: int
    width: int
    blocks: int
    residual: bool
    style: Style

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        activation = activation_of(self.style.activation, self.style.slope)
        h = _first(self.width, self.style, x, condition)
        for _ in range(self.blocks):
            inner = _conv(self.width, 3, self.style, activation(h))
            if self.residual:
                inner = h + _conv(self.width, 1, self.style, activation(inner))
            h = inner
        return _outputs(self.num_outputs, self.style, activation(h))


class GatedConditioner(nn.Module):
    """x [B, H, W, C] -> [B, H, W, num_outputs], as in Flow++ (Ho et al. 2019, arXiv:1902.00275).

    One 3x3 convolution, then blocks of

      h <- layer norm(h + a sigmoid(b)),    a, b = conv1x1(elu(±conv3x3(elu(±h))))

    where elu(±h) is elu(h) beside elu(-h), twice as many channels (Salimans et al. 2017,
    arXiv:1701.05517), and the norm is over the channels of each place. Flow++ also attends.
    """

    num_outputs: int
    width: int
    blocks: int
    style: Style

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        h = _first(self.width, self.style, x, condition)
        for _ in range(self.blocks):
            inner = _conv(self.width, 3, self.style, _both_elu(h))
            a, b = jnp.split(_conv(2 * self.width, 1, self.style, _both_elu(inner)), 2, axis=-1)
            h = nn.LayerNorm(dtype=self.style.dtype)(h + a * nn.sigmoid(b))
        return _outputs(self.num_outputs, self.style, _both_elu(h))


def _first(width: int, style: Style, x: Array, condition: Array | None) -> Array:
    """The first layer of x [B, H, W, C] and a condition: [B, H, W, width]. In a compact module."""
    if condition is not None and condition.ndim == 4:
        x = jnp.concatenate([x, condition], axis=-1)
    h = _conv(width, 3, style, x)
    if condition is not None and condition.ndim == 2:
        start = initial(style.initializer, condition.shape[-1])
        told = nn.Dense(width, use_bias=False, dtype=style.dtype, **start)(condition)
        h = h + told[:, None, None]
    return h


def _conv(width: int, size: int, style: Style, x: Array) -> Array:
    start = initial(style.initializer, size * size * x.shape[-1])
    h: Array = Conv(width, (size, size), dtype=style.dtype, **start)(x)
    return h


def _outputs(num: int, style: Style, h: Array) -> Array:
    ends = last(style.initializer, 9 * h.shape[-1], style.zero_last)
    return jnp.asarray(Conv(num, (3, 3), dtype=style.dtype, **ends)(h)).astype(jnp.float32)


def _both_elu(h: Array) -> Array:
    """elu(h) beside elu(-h): [..., C] -> [..., 2 C]."""
    return nn.elu(jnp.concatenate([h, -h], axis=-1))
