"""The patches of one array times another, summed over batch and space, as a CPU likes it.

This is the kernel gradient of a convolution. Patches have as many times the bytes as the kernel has
taps, so they are gathered in blocks that stay in a core's cache between being written and read.
"""

import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

# A block of patches, with what it is multiplied by, fits in the second cache of a core.
BLOCK_BYTES = 512 * 2**10
# But a block adds to the whole kernel, which may be larger: it has at least so many patches.
BLOCK_PATCHES = 128
# A product with so many numbers is made upright at once, and not turned afterwards.
LARGE_PRODUCT = 2**17
# Where devices share the batch, a loop along it would send all of it to each of them.
SHARED_BLOCK_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where patches lie in an array [B, *space, P], one entry for each spatial axis.

    Tap t of the patch at position o stands at ``o * strides + t * dilation - low``; 0 outside.
    """

    size: tuple[int, ...]  # how many patches
    kernel_size: tuple[int, ...]
    low: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """From the first position of one tap to its last, both among it."""
        return tuple((n - 1) * s + 1 for n, s in zip(self.size, self.strides, strict=True))

    @property
    def reach(self) -> tuple[int, ...]:
        """From the first position of the first tap to the last of the last one."""
        return tuple(
            span + (k - 1) * d
            for span, k, d in zip(self.spans, self.kernel_size, self.dilation, strict=True)
        )


def patch_product(
    array: jax.Array,  # [B, *space, P]
    other: jax.Array,  # [B, *size, Q]
    grid: Grid,
    precision: Any = None,
) -> jax.Array:  # [*kernel, P, Q]
    """Sums patch[b, o, t, p] * other[b, o, q] over b and o, in float32 at least."""
    by = _by_taps if jax.device_count() > 1 else _by_blocks
    product = lax.optimization_barrier(by(_padded(array, grid), other, grid, precision))
    return product.reshape(*grid.kernel_size, array.shape[-1], other.shape[-1]).astype(other.dtype)


def _padded(array: jax.Array, grid: Grid) -> jax.Array:
    """What all taps see, and nothing more: [B, *reach, P]."""
    edges = [
        (low, reach - low - n, 0)
        for low, reach, n in zip(grid.low, grid.reach, array.shape[1:-1], strict=True)
    ]
    return lax.pad(array, jnp.zeros((), array.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def _taps(array: jax.Array, grid: Grid) -> list[jax.Array]:
    """What each tap sees of the padded array, taps in row-major order: [B, *size, P] each."""

    def see(tap: tuple[int, ...]) -> jax.Array:
        start = [t * d for t, d in zip(tap, grid.dilation, strict=True)]
        stop = [a + span for a, span in zip(start, grid.spans, strict=True)]
        return lax.slice(
            array,
            [0, *start, 0],
            [array.shape[0], *stop, array.shape[-1]],
            [1, *grid.strides, 1],
        )

    return [see(tap) for tap in itertools.product(*map(range, grid.kernel_size))]


def _product(taps: list[jax.Array], other: jax.Array, precision: Any) -> jax.Array:
    """The matrices taps[t]^T other, summed over batch and space: [taps * P, Q], or its transpose.

    The narrower matrix is on the left, which is several times faster where one side has few
    channels; but to turn a large product upright costs more than that saves.
    """
    contract = tuple(range(other.ndim - 1))
    # Narrow types are widened here: XLA's CPU products of bfloat16 lost a hundredth of the sum, and
    # some that were asked to add in float32 did not run at all.
    wide = jnp.promote_types(jnp.float32, other.dtype)
    patches = jnp.concatenate(taps, axis=-1).astype(wide)  # [B, *size, taps * P]
    other = other.astype(wide)
    swap = (
        other.shape[-1] < patches.shape[-1] and other.shape[-1] * patches.shape[-1] < LARGE_PRODUCT
    )
    left, right = (other, patches) if swap else (patches, other)
    return lax.dot_general(left, right, ((contract, contract), ((), ())), precision=precision)


def _upright(product: jax.Array, features: int) -> jax.Array:
    """A product as [taps * P, Q], Q the number of features."""
    return product if product.shape[-1] == features else product.T


def _by_taps(array: jax.Array, other: jax.Array, grid: Grid, precision: Any) -> jax.Array:
    """One product for as many taps as SHARED_BLOCK_BYTES hold."""
    taps = _taps(array, grid)
    per_product = max(1, SHARED_BLOCK_BYTES // max(1, taps[0].size * taps[0].dtype.itemsize))
    groups = itertools.batched(taps, per_product)
    products = [_product(list(group), other, precision) for group in groups]
    return jnp.concatenate([_upright(product, other.shape[-1]) for product in products])


def _by_blocks(array: jax.Array, other: jax.Array, grid: Grid, precision: Any) -> jax.Array:
    """A loop over blocks of examples, or of the first axis in space where one example is large."""
    examples, rows = _block(array, grid)
    height = (rows - 1) * grid.strides[0] + 1 + (grid.kernel_size[0] - 1) * grid.dilation[0]
    block = dataclasses.replace(grid, size=(rows, *grid.size[1:]))

    def product(example: Any, row: Any, num: int) -> jax.Array:
        inside = (0,) * len(grid.size)  # the other axes, channels among them
        a = lax.dynamic_slice(
            array,
            (example, row * grid.strides[0], *inside),
            (num, height, *array.shape[2:]),
        )
        o = lax.dynamic_slice(other, (example, row, *inside), (num, rows, *other.shape[2:]))
        return _product(_taps(a, block), o, precision)

    whole, rest = divmod(len(array), examples)
    per_example = grid.size[0] // rows
    if whole * per_example <= 1:
        return _upright(product(0, 0, len(array)), other.shape[-1])
    # From zeros, and not from the first block: a program has each block's code once to compile.
    zeros = jax.eval_shape(lambda: product(0, 0, examples))
    total = lax.fori_loop(
        0,
        whole * per_example,
        lambda i, total: (
            total + product(i // per_example * examples, i % per_example * rows, examples)
        ),
        jnp.zeros(zeros.shape, zeros.dtype),
    )
    if rest:
        total += product(whole * examples, 0, rest)
    return _upright(total, other.shape[-1])


def _block(array: jax.Array, grid: Grid) -> tuple[int, int]:
    """Examples of a block, and rows of each: all of them, unless one example is too large."""
    batch, height = len(array), grid.size[0]
    taps = math.prod(grid.kernel_size)
    if taps == 1:  # nothing is gathered
        return batch, height
    across = math.prod(grid.size[1:])
    patch = taps * array.shape[-1] * 4  # bytes, as float32
    patches = max(BLOCK_PATCHES, BLOCK_BYTES // max(1, patch))
    if height * across <= 2 * patches:
        most = max(1, patches // max(1, height * across))
        even = _divisor(batch, most)  # nothing is left over then, which is less to compile
        return even if 2 * even >= most else min(batch, most), height
    return 1, _divisor(height, patches // across)


def _divisor(number: int, most: int) -> int:
    """The greatest that is at most so large."""
    return max((n for n in range(1, number + 1) if number % n == 0 and n <= most), default=1)
