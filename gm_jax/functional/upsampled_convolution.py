"""A convolution of an enlarged map, without enlarging it first where that is faster.

Nearest neighbours make a map s times as large by repeating each place; the kernel then meets the
same place up to s times along each axis. Those taps' weights can be added before they are applied:

    u[p] = x[p // s],   y[j] = sum_t u[j + t - low] w[t]
         = sum_k d[j + k - low - (s - 1)] v[k],   v[k] = sum_{r < s} w[k + r - (s - 1)]

where d is x dilated by s (a zero where s does not divide the place), and v has k + s - 1 taps. So
it is a transposed convolution: of 3x3 weights and s = 2 it takes 4 products for each place of y
instead of 9.
"""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.functional.convolution import Padding, conv_general_dilated
from gm_jax.functional.overlap_add import MOST_COLUMNS, num_columns


def conv_of_upsampled(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: Padding,
    *,
    scale: int,
    size: Sequence[int] | None = None,
    **options: Any,
) -> jax.Array:
    """`conv_general_dilated` of a map whose places are each repeated along all spatial axes.

    On a CPU, where it saves products, the weights are added up instead; else the map is enlarged.

    Args:
      lhs: the map before it is enlarged, [B, *space, C].
      rhs: the kernel, [*kernel, C, O].
      window_strides: as in `conv_general_dilated`, on the enlarged map.
      padding: as in `conv_general_dilated`, of the enlarged map.
      scale: how many times each place is repeated, 1 or more.
      size: what the enlarged map is cropped to at its far ends (None: nothing is cropped).
      **options: of `conv_general_dilated`.

    Returns:
      [B, *space', O], with "SAME" and strides of 1 as large as the enlarged map.

    Raises:
      ValueError, TypeError: as `conv_general_dilated`.
    """
    full = tuple(n * scale for n in lhs.shape[1:-1])
    size = full if size is None else tuple(size)

    def enlarged(x: jax.Array, w: jax.Array) -> jax.Array:
        u = upsampled(x, scale)[(slice(None), *(slice(n) for n in size))]
        return conv_general_dilated(u, w, window_strides, padding, **options)

    def summed(x: jax.Array, w: jax.Array) -> jax.Array:
        pads = padding
        if isinstance(pads, str):
            pads = lax.padtype_to_pads(size, rhs.shape[:-2], window_strides, pads)
        wider = [(low + scale - 1, high + scale - 1) for low, high in pads]
        spread = {**options, "lhs_dilation": (scale,) * len(wider)}
        return conv_general_dilated(x, _overlapping(w, scale), window_strides, wider, **spread)

    kernel = [k + scale - 1 for k in rhs.shape[:-2]]
    saves = (
        scale > 1
        and size == full
        and max(window_strides) == 1
        and not any(max(options.get(f"{of}_dilation") or (1,)) > 1 for of in ("lhs", "rhs"))
        and num_columns(kernel, (scale,) * len(kernel)) <= MOST_COLUMNS
    )
    if not saves:
        return enlarged(lhs, rhs)
    y: jax.Array = lax.platform_dependent(lhs, rhs, cpu=summed, default=enlarged)
    return y


def upsampled(x: jax.Array, scale: int) -> jax.Array:
    """Each place `scale` times along each spatial axis: [B, *space, C] -> [B, *scale space, C]."""
    for axis in range(1, x.ndim - 1):
        x = x.repeat(scale, axis)
    return x


def _overlapping(w: jax.Array, scale: int) -> jax.Array:
    """v[k] = sum_{r < s} w[k + r - (s - 1)], along each spatial axis; summed in float32 or more."""
    v = w.astype(jnp.promote_types(w.dtype, jnp.float32))
    zero = jnp.zeros((), v.dtype)
    for axis in range(w.ndim - 2):
        moved = []
        for r in range(scale):
            edges = [(0, 0, 0)] * w.ndim
            edges[axis] = (scale - 1 - r, r, 0)
            moved.append(lax.pad(v, zero, edges))
        v = functools.reduce(operator.add, moved)
    return v.astype(w.dtype)
