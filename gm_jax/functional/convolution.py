"""Convolutions whose gradients are fast on a CPU, in a loop and out of one.

Drop-in replacements for `jax.lax.conv_general_dilated` and `jax.lax.conv_transpose`: the same
values and gradients, and on a GPU or TPU the same program. `convolution_gradients` says what is
done differently on a CPU, and docs/performance.md what it saves.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from gm_jax.functional.convolution_gradients import Window, convolve

Padding = str | Sequence[tuple[int, int]]


def _is_channels_last(lhs: jax.Array, rhs: jax.Array, dimension_numbers: Any) -> bool:
    """Whether the layout is [B, *space, C], [*kernel, C, O] -> [B, *space, O]."""
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    n = lhs.ndim - 2
    space = range(1, n + 1)
    return (
        tuple(numbers.lhs_spec) == (0, n + 1, *space)
        and tuple(numbers.rhs_spec) == (n + 1, n, *range(n))
        and tuple(numbers.out_spec) == (0, n + 1, *space)
    )


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    """`jax.lax.conv_general_dilated` with gradients that are fast on a CPU.

    Channels-last floating-point convolutions in one to three spatial dimensions without groups
    take the fast route; anything else goes to XLA unchanged. The fast route has reverse-mode
    gradients of every order but no forward mode: `jax.jvp` and `jax.jacfwd` through it raise
    TypeError; call `jax.lax.conv_general_dilated` there.

    Args:
      lhs: the input, [B, *space, C] on the fast route.
      rhs: the kernel, [*kernel, C, O] on the fast route, of the input's dtype.
      window_strides: the stride of each spatial axis.
      padding: "SAME", "SAME_LOWER", "VALID" or a (low, high) pair for each spatial axis.
      lhs_dilation: the input's dilation along each spatial axis.
      rhs_dilation: the kernel's dilation along each spatial axis.
      dimension_numbers: the layout, as in `jax.lax`, whose default None is channels-first.
      feature_group_count: as in `jax.lax`.
      batch_group_count: as in `jax.lax`.
      precision: as in `jax.lax`.
      preferred_element_type: as in `jax.lax`. On the fast route sums over a bfloat16 batch are
        taken in float32 whatever this is.

    Returns:
      The convolved array, [B, *space', O] on the fast route.

    Raises:
      ValueError, TypeError: as `jax.lax.conv_general_dilated` does, for shapes, dtypes or
        options that do not fit together.
    """
    n = lhs.ndim - 2
    fast = (
        1 <= n <= 3
        and rhs.ndim == lhs.ndim
        and feature_group_count == batch_group_count == 1
        and lhs.dtype == rhs.dtype
        and jnp.issubdtype(lhs.dtype, jnp.floating)
        and preferred_element_type in (None, lhs.dtype)
        and lhs.size > 0
        and rhs.size > 0
        # XLA does not define named paddings of a dilated input, and says so.
        and not (isinstance(padding, str) and lhs_dilation and max(lhs_dilation) > 1)
        and len(window_strides) == n
        and _is_channels_last(lhs, rhs, dimension_numbers)
    )
    if not fast:
        result: jax.Array = lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count,
            batch_group_count=batch_group_count,
            precision=precision,
            preferred_element_type=preferred_element_type,
        )
        return result

    kernel_dilation = tuple(rhs_dilation or (1,) * n)
    if isinstance(padding, str):
        reach = [(k - 1) * d + 1 for k, d in zip(rhs.shape[:n], kernel_dilation, strict=True)]
        padding = lax.padtype_to_pads(lhs.shape[1:-1], reach, window_strides, padding)
    window = Window(
        input_size=lhs.shape[1:-1],
        kernel_size=rhs.shape[:n],
        strides=tuple(window_strides),
        padding=tuple((int(low), int(high)) for low, high in padding),
        input_dilation=tuple(lhs_dilation or (1,) * n),
        kernel_dilation=kernel_dilation,
        precision=tuple(precision) if isinstance(precision, list) else precision,
    )
    return convolve(lhs, rhs, window)


def _transpose_padding(reach: int, stride: int, padding: str) -> tuple[int, int]:
    """Zeros around the dilated input.

    "SAME" makes the output `stride` times as long as the input; "VALID" keeps every position
    that some window of the forward convolution covers.
    """
    if padding == "SAME":
        total = reach + stride - 2
        low = reach - 1 if stride > reach - 1 else -(-total // 2)
    elif padding == "VALID":
        total = reach + stride - 2 + max(reach - stride, 0)
        low = reach - 1
    else:
        raise ValueError(f"padding must be 'SAME', 'VALID' or pairs, got {padding!r}")
    return low, total - low


def conv_transpose(
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Sequence[int],
    padding: Padding,
    rhs_dilation: Sequence[int] | None = None,
    precision: Any = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    """`jax.lax.conv_transpose` of channels-last arrays with gradients that are fast on a CPU.

    The kernel is not flipped, as with `transpose_kernel=False` in JAX and in
    `flax.linen.ConvTranspose`. Reverse mode only, see `conv_general_dilated`.

    Args:
      lhs: the input, [B, *space, C].
      rhs: the kernel, [*kernel, C, O].
      strides: how many times larger each spatial axis becomes.
      padding: "SAME", "VALID", or (low, high) zeros around the dilated input for each spatial
        axis. PyTorch's `padding=p` is the pair (k - 1 - p, k - 1 - p) for a kernel of size k.
      rhs_dilation: the kernel's dilation along each spatial axis.
      precision: as in `jax.lax`.
      preferred_element_type: as in `jax.lax`.

    Returns:
      [B, *space', O]; with "SAME" each spatial axis is `stride` times the input's.

    Raises:
      ValueError: the padding's name is unknown, or shapes do not fit together.
    """
    n = lhs.ndim - 2
    if not 1 <= n <= 3 or rhs.ndim != lhs.ndim:
        raise ValueError(
            "conv_transpose needs an input [B, *space, C] with one to three spatial axes and a "
            f"kernel [*kernel, C, O] of the same rank, got {lhs.shape} and {rhs.shape}"
        )
    dilation = tuple(rhs_dilation or (1,) * n)
    if isinstance(padding, str):
        padding = tuple(
            _transpose_padding((k - 1) * d + 1, s, padding)
            for k, d, s in zip(rhs.shape[:n], dilation, strides, strict=True)
        )
    axes = "DHW"[-n:]
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * n,
        padding,
        lhs_dilation=tuple(strides),
        rhs_dilation=dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
