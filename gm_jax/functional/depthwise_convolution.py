"""Depthwise convolutions, each channel by itself, that are fast on a CPU.

XLA's CPU backend runs convolutions in groups as naive loops. Here the output is a sum of k² shifted
inputs, which is one fused loop over channels, and the kernel's gradient is taken an example at a
time, so that what it reads stays in the cache. On a GPU or TPU it is XLA's own convolution.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise_convolution(x: Array, kernel: Array, dilation: int = 1) -> Array:
    """y[b, h, w, c] = Σ_ij kernel[i, j, c] x[b, h + d (i - r), w + d (j - r), c], r = (k - 1) / 2.

    Zeros around. Reverse mode only: `jax.jvp` through it raises TypeError.

    Args:
      x: [B, H, W, C].
      kernel: [k, k, C], k odd.
      dilation: d, at least 1.

    Returns:
      [B, H, W, C].

    Raises:
      ValueError: the kernel has no middle, or other channels than x.
    """
    return _convolved(x, kernel, dilation)


def _convolved(x: Array, kernel: Array, dilation: int) -> Array:
    size = kernel.shape[0]
    if kernel.shape != (size, size, x.shape[-1]) or size % 2 == 0:
        raise ValueError(
            f"a depthwise kernel must be [k, k, {x.shape[-1]}] with k odd, not {kernel.shape}"
        )

    def shifted(x: Array, kernel: Array) -> Array:
        views = _views(x, size, dilation)
        weights = kernel.reshape(size * size, 1, 1, 1, -1)
        terms = (view * weights[i] for i, view in enumerate(views))
        return functools.reduce(jnp.add, terms)

    return lax.platform_dependent(
        x, kernel, cpu=shifted, default=functools.partial(_grouped, dilation=dilation)
    )


def _forward(x: Array, kernel: Array, dilation: int) -> tuple[Array, tuple[Array, Array]]:
    return _convolved(x, kernel, dilation), (x, kernel)


def _backward(dilation: int, saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, kernel = saved
    size = kernel.shape[0]

    def by_example(x: Array, dy: Array) -> Array:
        def add(total: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
            one, change = (v[None].astype(jnp.float32) for v in pair)
            sums = [(view * change).sum((0, 1, 2)) for view in _views(one, size, dilation)]
            return total + jnp.stack(sums), None

        start = jnp.zeros((size * size, x.shape[-1]), jnp.float32)
        total, _ = lax.scan(add, start, (x, dy))
        return total.reshape(kernel.shape).astype(kernel.dtype)

    def at_once(x: Array, dy: Array) -> Array:
        _, pull = jax.vjp(lambda k: _grouped(x, k, dilation), kernel)
        (change,) = pull(dy)
        return change

    change = lax.platform_dependent(x, dy, cpu=by_example, default=at_once)
    return _convolved(dy, kernel[::-1, ::-1], dilation), change


depthwise_convolution.defvjp(_forward, _backward)


def _views(x: Array, size: int, dilation: int) -> list[Array]:
    """What each of the k² places of the kernel sees: [B, H, W, C] each."""
    height, width = x.shape[1:3]
    reach = dilation * (size // 2)
    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    starts = [i * dilation for i in range(size)]
    return [padded[:, i : i + height, j : j + width] for i in starts for j in starts]


def _grouped(x: Array, kernel: Array, dilation: int) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        (1, 1),
        "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )
