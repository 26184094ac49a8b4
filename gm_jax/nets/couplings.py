"""Layers of normalizing flows, and the networks that give couplings their scale and shift.

A layer is called as `layer(x, condition, inverse)` and returns what it makes of x with
log |det J| of that direction, [B]. `condition` enters the networks only, so nothing has to be
undone for it: a vector [B, M] (labels, one-hot), a map [B, H, W, C'], or None.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.bijectors import (
    affine_forward,
    affine_inverse,
    bounded_log_scale,
    checkerboard_mask,
    flip_forward,
    flip_inverse,
    squeeze_forward,
    squeeze_inverse,
    standardization,
)
from gm_jax.nets.conv import Conv
from gm_jax.nets.mlp import ACTIVATIONS, MLP, Activation

Array = jax.Array
Made = tuple[Array, Array]


class DenseConditioner(nn.Module):
    """(x [B, D], condition) -> float32 [B, num_outputs], which are zeros at first."""

    num_outputs: int
    hidden: tuple[int, ...]
    activation: Activation
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        if condition is not None:
            x = jnp.concatenate([x, condition.reshape(len(condition), -1)], axis=-1)
        h = MLP(self.hidden, self.activation, activate_final=True, dtype=self.dtype)(x)
        outputs = nn.Dense(self.num_outputs, kernel_init=nn.initializers.zeros, dtype=self.dtype)(h)
        return outputs.astype(jnp.float32)


class ConvConditioner(nn.Module):
    """(x [B, H, W, C], condition) -> float32 [B, H, W, num_outputs], which are zeros at first.

    One 3x3 convolution, then `blocks` more layers: residual ones (3x3, then 1x1), or plain 3x3
    convolutions. No activation is normalized here: the flow's own normalization does that.
    """

    num_outputs: int
    width: int
    blocks: int
    residual: bool
    activation: Activation
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        activation = ACTIVATIONS[self.activation]
        if condition is not None and condition.ndim == 4:
            x = jnp.concatenate([x, condition], axis=-1)
        h = Conv(self.width, (3, 3), dtype=self.dtype)(x)
        if condition is not None and condition.ndim == 2:
            h = h + nn.Dense(self.width, use_bias=False, dtype=self.dtype)(condition)[:, None, None]
        for _ in range(self.blocks):
            inner = Conv(self.width, (3, 3), dtype=self.dtype)(activation(h))
            if self.residual:
                h = h + Conv(self.width, (1, 1), dtype=self.dtype)(activation(inner))
            else:
                h = inner
        outputs = Conv(
            self.num_outputs, (3, 3), kernel_init=nn.initializers.zeros, dtype=self.dtype
        )(activation(h))
        return outputs.astype(jnp.float32)


class ScaleAndShift(nn.Module):
    """(x, condition) -> log-scale within ±limit and shift, each [B, ..., num_outputs].

    `network` makes a conditioner for a number of outputs: one for both, or one for each.
    """

    network: Callable[[int], nn.Module]
    num_outputs: int
    separate: bool
    limit: float

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Made:
        if self.separate:
            raw = self.network(self.num_outputs)(x, condition)
            shift = self.network(self.num_outputs)(x, condition)
        else:
            raw, shift = jnp.split(self.network(2 * self.num_outputs)(x, condition), 2, axis=-1)
        return bounded_log_scale(raw, self.limit), shift


class HalvesCoupling(nn.Module):
    """[B, ..., C]: the first half of the last axis stays, and moves the second half.

    On images this is the paper's channel-wise mask, without computing what the mask would hide.
    """

    network: Callable[[int], nn.Module]
    separate: bool
    limit: float

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        first, second = jnp.split(x, [x.shape[-1] // 2], axis=-1)
        log_scale, shift = ScaleAndShift(self.network, second.shape[-1], self.separate, self.limit)(
            first, condition
        )
        affine = affine_inverse if inverse else affine_forward
        second, log_det = affine(second, log_scale, shift)
        return jnp.concatenate([first, second], axis=-1), log_det


class CheckerboardCoupling(nn.Module):
    """[B, H, W, C]: the places of one colour stay, and move those of the other."""

    network: Callable[[int], nn.Module]
    separate: bool
    limit: float
    parity: int

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        stays = checkerboard_mask(x.shape[1], x.shape[2], self.parity)[None]  # [1, H, W, 1]
        log_scale, shift = ScaleAndShift(self.network, x.shape[-1], self.separate, self.limit)(
            stays * x, condition
        )
        affine = affine_inverse if inverse else affine_forward
        return affine(x, (1.0 - stays) * log_scale, (1.0 - stays) * shift)


class ActNorm(nn.Module):
    """A scale and a shift for each channel, [B, ..., C] (Kingma & Dhariwal 2018, §3.1).

    The identity after `init`. Applied forwards with mutable parameters it sets them so that this
    batch comes out with mean 0 and variance 1 in each channel.
    """

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        shape = (x.shape[-1],)
        log_scale = self.param("log_scale", nn.initializers.zeros, shape)
        shift = self.param("shift", nn.initializers.zeros, shape)
        if self.is_mutable_collection("params") and not self.is_initializing():
            log_scale, shift = standardization(x)
            self.put_variable("params", "log_scale", log_scale)
            self.put_variable("params", "shift", shift)
        affine = affine_inverse if inverse else affine_forward
        return affine(x, log_scale, shift)


class Flip(nn.Module):
    """The last axis in reverse."""

    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        return flip_inverse(x) if inverse else flip_forward(x)


class Squeeze(nn.Module):
    """Space to depth: half the height and width, four times the channels."""

    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        return squeeze_inverse(x) if inverse else squeeze_forward(x)


class Chain(nn.Module):
    """Layers one after the other; inverted, in the opposite order."""

    layers: tuple[nn.Module, ...]

    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        log_det = jnp.zeros(x.shape[0])
        for layer in reversed(self.layers) if inverse else self.layers:
            x, change = layer(x, condition, inverse)
            log_det += change
        return x, log_det
