"""Maxima of windows that do not overlap."""

import itertools

import jax
import jax.numpy as jnp


def max_pool(x: jax.Array, size: int) -> jax.Array:
    """The maximum of each `size` x `size` window: [B, H, W, C] -> [B, ⌈H/size⌉, ⌈W/size⌉, C].

    As `flax.linen.max_pool` with strides of `size` and "SAME" padding, gradients included: where
    values tie, the first in row-major order has all of it. But it is made of comparisons, one after
    the other, whose gradient takes a CPU an eighth of the time (docs/performance.md).
    """
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    edges = [(pad // 2, pad - pad // 2) for pad in (-x.shape[1] % size, -x.shape[2] % size)]
    x = jnp.pad(x, ((0, 0), *edges, (0, 0)), constant_values=lowest)
    batch, height, width, channels = x.shape
    windows = x.reshape(batch, height // size, size, width // size, size, channels)
    y: jax.Array = windows[:, :, 0, :, 0]
    for i, j in itertools.islice(itertools.product(range(size), repeat=2), 1, None):
        other = windows[:, :, i, :, j]
        y = jnp.where((other > y) | (other != other), other, y)  # what is not a number stays so
    return y
