"""The three bilinear maps of a convolution, each with gradients made of the other two.

A convolution y = conv(x, w) is one trilinear form <conv(x, w), dy> read three ways:

    convolve(x, w)          -> y   [B, *out, O]
    input_gradient(dy, w)   -> x   [B, *in, C]
    kernel_gradient(x, dy)  -> w   [*kernel, C, O]

Each is linear in both its arguments, so the gradient of any one is the other two, and
gradients of every order (a gradient penalty takes the second) stay inside the three.

On a GPU or TPU all three are XLA's own. On a CPU XLA's forward convolution is fast, but what
its autodiff emits for the other two is not: the kernel gradient often, and both of them inside
a loop, fall to a naive nest of loops. There the input gradient is written as one more forward
convolution, with the kernel flipped, and the kernel gradient as patches and a matrix product. A
convolution of a dilated input becomes a matrix product and an overlapping sum.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax.functional.overlap_add import is_worth_it, overlapped_products
from gm_jax.functional.patch_products import Grid, patch_product


@dataclasses.dataclass(frozen=True)
class Window:
    """What of a convolution is known when it is traced; sizes are those of spatial axes.

    Output position o meets input position m at kernel tap t where
    ``o * strides + t * kernel_dilation == m * input_dilation + padding[0]``.
    """

    input_size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    precision: Any = None

    @property
    def flipped_padding(self) -> tuple[int, ...]:
        """Low padding of the window that leads from the output back to the input."""
        return tuple(
            (k - 1) * d - low
            for k, d, (low, _) in zip(
                self.kernel_size, self.kernel_dilation, self.padding, strict=True
            )
        )


def xla_convolution(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """XLA's convolution of x [B, *in, C] with w [*kernel, C, O]: [B, *out, O]."""
    axes = "DHW"[-len(window.kernel_size) :]
    return lax.conv_general_dilated(
        x,
        w,
        window.strides,
        window.padding,
        lhs_dilation=window.input_dilation,
        rhs_dilation=window.kernel_dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        precision=window.precision,
    )


def _is_small(x: jax.Array, window: Window) -> bool:
    """Whether the kernel has more taps than x has positions."""
    return math.prod(window.kernel_size) > math.prod(x.shape[1:-1])


def _is_spread(window: Window, features: int) -> bool:
    """Whether the input is dilated, and the products at all taps are few enough to be kept."""
    return (
        max(window.input_dilation) > 1
        and max(window.strides) == max(window.kernel_dilation) == 1
        and is_worth_it(window.kernel_size, window.input_dilation, features)
    )


def _convolve_cpu(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """XLA's convolution, but of a dilated x by products that overlap.

    An x smaller than the kernel gets zeros at its far ends: XLA would exchange the two, and then
    run what is left as a naive nest of loops.
    """
    if _is_spread(window, w.shape[-1]):
        return overlapped_products(x, w, window.input_dilation, window.padding, window.precision)
    if not _is_small(x, window):
        return xla_convolution(x, w, window)
    more = [max(0, k - n) for k, n in zip(window.kernel_size, x.shape[1:-1], strict=True)]
    zero = jnp.zeros((), x.dtype)
    x = lax.pad(x, zero, [(0, 0, 0), *((0, m, 0) for m in more), (0, 0, 0)])
    padding = tuple(
        (low, high - m * d)
        for (low, high), m, d in zip(window.padding, more, window.input_dilation, strict=True)
    )
    wider = dataclasses.replace(window, input_size=x.shape[1:-1], padding=padding)
    return xla_convolution(lax.optimization_barrier(x), w, wider)  # or XLA takes the zeros back


def _flip(w: jax.Array) -> jax.Array:
    """Every spatial axis reversed, the two channel axes swapped."""
    return jnp.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2)


def _input_gradient_cpu(dy: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """The input gradient as a forward convolution of dy with the flipped kernel."""
    high = tuple(
        (m - 1) * ld + (k - 1) * d - low - (o - 1) * s
        for m, ld, k, d, low, o, s in zip(
            window.input_size,
            window.input_dilation,
            window.kernel_size,
            window.kernel_dilation,
            window.flipped_padding,
            dy.shape[1:-1],
            window.strides,
            strict=True,
        )
    )
    back = dataclasses.replace(
        window,
        input_size=dy.shape[1:-1],
        strides=window.input_dilation,
        padding=tuple(zip(window.flipped_padding, high, strict=True)),
        input_dilation=window.strides,
    )
    return _convolve_cpu(dy, _flip(w), back)


def _input_gradient_xla(dy: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    x = jax.ShapeDtypeStruct((dy.shape[0], *window.input_size, w.shape[-2]), dy.dtype)
    (dx,) = jax.linear_transpose(lambda x: xla_convolution(x, w, window), x)(dy)
    return dx


def _kernel_gradient_xla(x: jax.Array, dy: jax.Array, window: Window) -> jax.Array:
    w = jax.ShapeDtypeStruct((*window.kernel_size, x.shape[-1], dy.shape[-1]), x.dtype)
    (dw,) = jax.linear_transpose(lambda w: xla_convolution(x, w, window), w)(dy)
    return dw


def _kernel_gradient_cpu(x: jax.Array, dy: jax.Array, window: Window) -> jax.Array:
    """The kernel gradient as patches of the cheaper side times the other side."""
    channels, features = x.shape[-1], dy.shape[-1]
    strided, dilated = max(window.strides) > 1, max(window.input_dilation) > 1
    if dilated and strided:
        zero = jnp.zeros((), x.dtype)
        x = lax.pad(
            x, zero, [(0, 0, 0), *((0, 0, d - 1) for d in window.input_dilation), (0, 0, 0)]
        )
        dilated = False
    grid = functools.partial(Grid, kernel_size=window.kernel_size, dilation=window.kernel_dilation)
    if strided or (not dilated and channels < features):
        low = tuple(lo for lo, _ in window.padding)
        of_input = grid(size=dy.shape[1:-1], low=low, strides=window.strides)
        return patch_product(x, dy, of_input, window.precision)
    of_output = grid(size=x.shape[1:-1], low=window.flipped_padding, strides=window.input_dilation)
    return _flip(patch_product(dy, x, of_output, window.precision))  # [*kernel, O, C] flipped


Bilinear = Callable[[jax.Array, jax.Array, Window], jax.Array]


def _by_platform(cpu: Bilinear, default: Bilinear) -> Bilinear:
    """Chooses when the program is lowered, so that one trace serves every backend."""

    # A jit of its own, so that calls outside a jit compile once per shape and not every time.
    @functools.partial(jax.jit, static_argnums=2)
    def chosen(a: jax.Array, b: jax.Array, window: Window) -> jax.Array:
        result: jax.Array = lax.platform_dependent(
            a,
            b,
            cpu=lambda a, b: cpu(a, b, window),
            default=lambda a, b: default(a, b, window),
        )
        return result

    return chosen


_convolve_apart = _by_platform(_convolve_cpu, xla_convolution)
_input_gradient = _by_platform(_input_gradient_cpu, _input_gradient_xla)
_kernel_gradient = _by_platform(_kernel_gradient_cpu, _kernel_gradient_xla)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """x [B, *in, C] convolved with w [*kernel, C, O]: [B, *out, O]."""
    apart = _is_spread(window, w.shape[-1]) or _is_small(x, window)
    return (_convolve_apart if apart else xla_convolution)(x, w, window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def input_gradient(dy: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """The gradient of <convolve(x, w), dy> with respect to x: [B, *in, C]."""
    return _input_gradient(dy, w, window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def kernel_gradient(x: jax.Array, dy: jax.Array, window: Window) -> jax.Array:
    """The gradient of <convolve(x, w), dy> with respect to w: [*kernel, C, O]."""
    return _kernel_gradient(x, dy, window)


Pair = tuple[jax.Array, jax.Array]


def _keep_both(function: Bilinear) -> Callable[[jax.Array, jax.Array, Window], Any]:
    return lambda a, b, window: (function(a, b, window), (a, b))


def _convolve_backward(window: Window, kept: Pair, dy: jax.Array) -> Pair:
    x, w = kept
    return input_gradient(dy, w, window), kernel_gradient(x, dy, window)


def _input_gradient_backward(window: Window, kept: Pair, u: jax.Array) -> Pair:
    dy, w = kept
    return convolve(u, w, window), kernel_gradient(u, dy, window)


def _kernel_gradient_backward(window: Window, kept: Pair, v: jax.Array) -> Pair:
    x, dy = kept
    return input_gradient(dy, v, window), convolve(x, v, window)


convolve.defvjp(_keep_both(convolve), _convolve_backward)
input_gradient.defvjp(_keep_both(input_gradient), _input_gradient_backward)
kernel_gradient.defvjp(_keep_both(kernel_gradient), _kernel_gradient_backward)
