"""Linen convolutions whose gradients are fast on a CPU.

`Conv` and `ConvTranspose` are `flax.linen`'s, with the same constructor, parameter names, shapes
and initial values; only the gradients are computed differently, see `functional.convolution`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.linear import canonicalize_padding

from gm_jax.functional import convolution
from gm_jax.functional.upsampled_convolution import conv_of_upsampled


class Conv(nn.Conv):
    """`flax.linen.Conv`: [*batch, *space, C] -> [*batch, *space', features]."""

    conv_general_dilated: Callable[..., Any] | None = convolution.conv_general_dilated


def upsampling(scale: int, size: Sequence[int] | None = None) -> Callable[..., Any]:
    """What a `Conv` takes as conv_general_dilated to convolve the enlarged map of its input.

    Args:
      scale: how many times each place is repeated along each spatial axis.
      size: what the enlarged map is cropped to, at its far ends.
    """
    return functools.partial(conv_of_upsampled, scale=scale, size=size)


class ConvTranspose(nn.ConvTranspose):
    """`flax.linen.ConvTranspose`: [*batch, *space, C] -> [*batch, *space', features].

    Kernels with `transpose_kernel=True` and the padding "CIRCULAR" are left to Flax.
    """

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Applies the transposed convolution.

        Args:
          inputs: [*batch, *space, C], any number of batch axes, also none.

        Returns:
          [*batch, *space', features].

        Raises:
          ValueError: the mask's shape is not the kernel's.
        """
        size = self.kernel_size
        kernel_size = (size,) if isinstance(size, int) else tuple(size)
        n = len(kernel_size)
        padding = canonicalize_padding(self.padding, n)
        if self.transpose_kernel or padding == "CIRCULAR":
            result: jax.Array = super().__call__(inputs)
            return result

        shape = (*kernel_size, inputs.shape[-1], self.features)  # [*kernel, C, O]
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        if self.mask is not None:
            if self.mask.shape != shape:
                raise ValueError(
                    f"mask must have the kernel's shape {shape}, not {self.mask.shape}"
                )
            kernel = kernel * self.mask
        bias = None
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), self.param_dtype)
        promoted: Any = self.promote_dtype(inputs, kernel, bias, dtype=self.dtype)
        inputs, kernel, bias = promoted

        batch = inputs.shape[: inputs.ndim - n - 1]
        y = convolution.conv_transpose(
            jnp.reshape(inputs, (-1, *inputs.shape[inputs.ndim - n - 1 :])),
            kernel,
            _per_axis(self.strides, n),
            padding,
            rhs_dilation=_per_axis(self.kernel_dilation, n),
            precision=self.precision,
            preferred_element_type=self.preferred_element_type,
        )
        if bias is not None:
            y = y + jnp.reshape(bias, (1,) * (n + 1) + (-1,))
        return jnp.reshape(y, (*batch, *y.shape[1:]))


def _per_axis(value: Any, n: int) -> tuple[int, ...]:
    """One int per spatial axis; None means 1, an int means the same for every axis."""
    if value is None:
        value = 1
    return (value,) * n if isinstance(value, int) else tuple(value)
