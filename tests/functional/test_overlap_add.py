import chex
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.overlap_add import is_worth_it, num_columns, overlapped_products


def by_loops(x, w, strides, padding):
    """Each product of an input and a tap, added where it belongs."""
    low = [lo for lo, _ in padding]
    out = [
        max(0, (m - 1) * s + 1 + lo + hi - (k - 1))
        for m, s, (lo, hi), k in zip(x.shape[1:-1], strides, padding, w.shape[:-2], strict=True)
    ]
    y = np.zeros((len(x), *out, w.shape[-1]))
    for m in np.ndindex(*x.shape[1:-1]):
        for t in np.ndindex(*w.shape[:-2]):
            at = np.array(m) * strides + low - np.array(t)
            if np.all(at >= 0) and np.all(at < out):
                y[(slice(None), *at)] += x[(slice(None), *m)] @ w[t]
    return y


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "padding"),
    [
        ((3,), (4,), (2,), ((2, 2),)),
        ((3, 4), (4, 4), (2, 2), ((2, 2), (2, 1))),
        ((2, 3), (3, 3), (2, 3), ((1, 2), (0, 0))),
        ((4, 4), (2, 5), (3, 1), ((1, 3), (4, 4))),  # phases without a tap
        ((3, 3), (4, 4), (2, 2), ((-1, 3), (3, -2))),  # cropped
        ((1, 1), (3, 3), (2, 2), ((0, 0), (0, 0))),  # nothing fits
        ((2, 2, 2), (2, 3, 1), (2, 2, 1), ((1, 1), (2, 2), (0, 0))),
    ],
)
def test_it_is_the_sum_of_all_products(size, kernel, strides, padding):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, *size, 3)), rng.normal(size=(*kernel, 3, 4))
    y = overlapped_products(jnp.asarray(x, "float32"), jnp.asarray(w, "float32"), strides, padding)
    expected = by_loops(x, w, strides, padding)
    chex.assert_shape(y, expected.shape)
    chex.assert_trees_all_close(y, expected.astype("float32"), atol=1e-5)


def test_16_bit_floats_are_summed_in_float32():
    """256 + 1 is 256 in bfloat16: both ones beside it would be lost."""
    x = jnp.ones((1, 3, 1), jnp.bfloat16)
    w = jnp.asarray([1, 1, 1, 256], jnp.bfloat16)[::-1].reshape(4, 1, 1)
    y = overlapped_products(x, w, (1,), ((3, 3),))
    assert y.dtype == jnp.bfloat16
    assert float(y.max()) == 258


def test_columns_are_counted_for_each_place():
    assert num_columns((4, 4), (2, 2)) == 4
    assert num_columns((3, 1), (2, 1)) == 1.5


@pytest.mark.parametrize(
    ("kernel", "features", "expected"),
    [((4, 4), 64, True), ((6, 6), 64, False), ((6, 6), 4, False), ((6, 6), 3, True)],
)
def test_images_may_have_more_columns(kernel, features, expected):
    assert is_worth_it(kernel, (2, 2), features) is expected
    assert not is_worth_it((9, 9), (2, 2), features)
