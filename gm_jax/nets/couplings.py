"""Layers of normalizing flows.

A layer is called as `layer(x, condition, inverse)` and returns what it makes of x with
log |det J| of that direction, [B]. `condition` enters the networks only, so nothing has to be
undone for it: a vector [B, M] (labels, one-hot), a map [B, H, W, C'], or None.
"""

from collections.abc import Callable

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

Array = jax.Array
Made = tuple[Array, Array]


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
    """Layers one after the other, all or those of a part; inverted, in the opposite order."""

    layers: tuple[nn.Module, ...]

    def __call__(
        self,
        x: Array,
        condition: Array | None = None,
        inverse: bool = False,
        part: slice = slice(None),
    ) -> Made:
        log_det, layers = jnp.zeros(x.shape[0]), self.layers[part]
        for layer in reversed(layers) if inverse else layers:
            x, change = layer(x, condition, inverse)
            log_det += change
        return x, log_det
