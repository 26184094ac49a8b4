import itertools

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from gm_jax.errors import UserError
from gm_jax.metrics.kernel_distance import kid

RNG = np.random.default_rng(0)


def by_loops(x, y):
    """The unbiased estimator, pair by pair."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


@pytest.mark.parametrize("block", [1, 5, 7, 100])
def test_equal_to_loops_in_blocks_of_any_size(block):
    x, y = RNG.normal(size=(12, 4)), 0.5 + RNG.normal(size=(9, 4))
    found = kid(x, y, block)
    np.testing.assert_allclose(found.value, by_loops(x, y), rtol=1e-10)
    left_out = [[by_loops(np.delete(x, i, 0), y) for i in range(12)]]
    left_out.append([by_loops(x, np.delete(y, j, 0)) for j in range(9)])
    variance = sum((len(v) - 1) * np.var(v) for v in left_out)
    np.testing.assert_allclose(found.stderr, np.sqrt(variance), rtol=1e-9)


def test_equal_to_sklearns_kernel():
    x, y = RNG.normal(size=(50, 16)), RNG.normal(size=(60, 16))
    xx, yy, xy = (polynomial_kernel(a, b, degree=3) for a, b in ((x, x), (y, y), (x, y)))
    expected = (xx.sum() - np.trace(xx)) / (50 * 49) + (yy.sum() - np.trace(yy)) / (60 * 59)
    np.testing.assert_allclose(kid(x, y).value, expected - 2 * xy.mean(), rtol=1e-9)


def test_the_standard_error_is_that_of_repeated_draws():
    draws = [(RNG.normal(size=(100, 3)), RNG.normal(0.5, 1, (100, 3))) for _ in range(200)]
    found = [kid(x, y) for x, y in draws]
    told = np.mean([f.stderr for f in found])
    seen = np.std([f.value for f in found])
    assert 0.8 < told / seen < 1.3
    same = [kid(x, other) for (x, _), (other, _) in itertools.pairwise(draws)]
    spread = np.std([f.value for f in same])
    assert abs(np.mean([f.value for f in same])) < 3 * spread / np.sqrt(100)
    assert np.mean([f.stderr for f in same]) > 0.8 * spread


def test_a_set_against_itself_is_below_zero():
    """The unbiased estimator leaves pairs of equals out within, but not across."""
    x = RNG.normal(size=(40, 5))
    diagonal = ((x**2).sum(1) / 5 + 1) ** 3
    off = polynomial_kernel(x, degree=3).sum() - diagonal.sum()
    expected = 2 * off / (40 * 39) - 2 * (off + diagonal.sum()) / 40**2
    np.testing.assert_allclose(kid(x, x).value, expected, rtol=1e-9)
    assert kid(x, x).value < 0


def test_what_has_no_kernel_distance():
    x = np.zeros((5, 3))
    with pytest.raises(UserError, match="3 or more samples are needed, not 1"):
        kid(x[:1], x)
    with pytest.raises(UserError, match="have 3 dimensions, those of reference images 2"):
        kid(x, np.zeros((5, 2)))
    with pytest.raises(UserError, match="features of samples are not finite"):
        kid(np.full((5, 3), np.inf), x)
