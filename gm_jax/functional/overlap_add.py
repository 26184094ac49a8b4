"""A transposed convolution as one matrix product and an overlapping sum, for a CPU.

y = conv(x, w) of an input dilated by its strides s is x[m] w[t], added up where m s + t meets:

    columns = x . w                      [B, *in, *kernel, O]
    y[s q + a] = sum over taps t of phase a of columns[q + (a + t - low) / s, t]

No zero between two places of the dilated input is multiplied, and the sum of one phase reads
whole slices of the columns.
"""

import functools
import itertools
import math
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

# With more columns than this for each value of the result, writing and reading them takes longer
# than XLA's own convolution (25 taps at stride 2 make 6.25). That is slow where it makes an image,
# of a channel or three, for which four times as many columns still pay.
MOST_COLUMNS = 4
_MOST_OF_IMAGES = 16
_IMAGE_CHANNELS = 3


def overlapped_products(
    x: jax.Array,
    w: jax.Array,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    precision: lax.PrecisionLike = None,
) -> jax.Array:
    """The convolution of x, dilated by `strides` and padded, with w.

    Products and sums of 16-bit floats are float32.

    Args:
      x: [B, *in, C].
      w: [*kernel, C, O].
      strides: dilation of each spatial axis of x, 1 or more.
      padding: (low, high) zeros around the dilated x, for each spatial axis.
      precision: of the product, as in `jax.lax`.

    Returns:
      [B, *out, O] of x's dtype, out = (in - 1) stride + 1 + low + high - (kernel - 1).
    """
    n = x.ndim - 2
    sizes, kernel = x.shape[1:-1], w.shape[:n]
    out = [
        max(0, (m - 1) * s + 1 + low + high - (k - 1))
        for m, s, (low, high), k in zip(sizes, strides, padding, kernel, strict=True)
    ]
    lengths = [-(-o // s) for o, s in zip(out, strides, strict=True)]
    columns = lax.dot_general(
        x,
        w,
        (((n + 1,), (n,)), ((), ())),
        precision=precision,
        preferred_element_type=jnp.promote_types(x.dtype, jnp.float32),
    )  # [B, *in, *kernel, O]

    def phase(a: tuple[int, ...]) -> jax.Array:
        """Every place s q + a of the result: [B, *lengths, O]."""
        axes = [
            _taps(k, s, low, p)
            for k, s, (low, _), p in zip(kernel, strides, padding, a, strict=True)
        ]
        terms = [
            _moved(
                columns[(..., *(t for t, _ in taps), slice(None))], [i for _, i in taps], lengths
            )
            for taps in itertools.product(*axes)
        ]
        if terms:
            return functools.reduce(operator.add, terms)
        return jnp.zeros((len(x), *lengths, w.shape[-1]), columns.dtype)

    def interleaved(axis: int, a: tuple[int, ...]) -> jax.Array:
        """The phases that begin with a, all axes from this one on at their full length."""
        if axis == n:
            return phase(a)
        y = jnp.stack([interleaved(axis + 1, (*a, p)) for p in range(strides[axis])], axis + 2)
        return y.reshape(*y.shape[: axis + 1], lengths[axis] * strides[axis], *y.shape[axis + 3 :])

    y = interleaved(0, ())
    return y[(slice(None), *(slice(o) for o in out))].astype(x.dtype)


def is_worth_it(kernel_size: Sequence[int], strides: Sequence[int], features: int) -> bool:
    """Whether the columns of a result of so many features are few enough to be kept."""
    most = _MOST_OF_IMAGES if features <= _IMAGE_CHANNELS else MOST_COLUMNS
    return num_columns(kernel_size, strides) <= most


def num_columns(kernel_size: Sequence[int], strides: Sequence[int]) -> float:
    """How many values are made for each of the result: what the sum reads."""
    return math.prod(kernel_size) / math.prod(strides)


def _taps(kernel: int, stride: int, low: int, phase: int) -> list[tuple[int, int]]:
    """The taps t of a phase, each with how far from q the place lies that it is multiplied with."""
    found = [(t, *divmod(phase + t - low, stride)) for t in range(kernel)]
    return [(t, place) for t, place, rest in found if rest == 0]


def _moved(x: jax.Array, by: Sequence[int], lengths: Sequence[int]) -> jax.Array:
    """x[q + by] for q from 0 to `lengths`, 0 where there is no such place."""
    edges = [
        (-i, length - 1 + i - (size - 1), 0)
        for i, length, size in zip(by, lengths, x.shape[1:-1], strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
