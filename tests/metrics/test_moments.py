import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.metrics.moments import Moments, moments

RNG = np.random.default_rng(0)


def close(a, b, rtol=1e-12):
    assert a.count == b.count
    np.testing.assert_allclose(a.mean, b.mean, rtol=rtol)
    np.testing.assert_allclose(a.scatter, b.scatter, rtol=rtol, atol=1e-12 * abs(b.scatter).max())


def test_equal_to_numpy():
    x = RNG.normal(3, 2, (3000, 5)) @ RNG.normal(size=(5, 5))  # of three blocks
    found = moments(x)
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(x.T), rtol=1e-10)


@pytest.mark.parametrize("size", [1, 7, 100, 333])
def test_equal_in_parts_of_any_size_and_order(size):
    x = RNG.normal(size=(333, 4)).astype(np.float32)
    total = Moments.empty(4)
    for start in range(0, len(x), size):
        total = moments(x[start : start + size]).merge(total)
    close(total, moments(x), 1e-10)


def test_padding_has_no_part():
    x, mask = RNG.normal(size=(8, 3)), np.arange(8) < 5
    x[5:] = np.nan
    close(moments(x, mask), moments(x[:5]))
    assert moments(x, np.zeros(8, bool)).count == 0


def test_a_small_deviation_beside_a_large_mean_keeps_its_digits():
    x = RNG.normal(0, 1e-3, (4000, 2))
    parts = [moments(part + 1e6) for part in np.split(x, 4)]
    total = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])
    np.testing.assert_allclose(np.diag(total.covariance), x.var(0, ddof=1), rtol=1e-5)


def test_what_has_no_moments():
    with pytest.raises(UserError, match=r"must be numbers \[N, D\], not float64 \[3\]"):
        moments(np.zeros(3))
    with pytest.raises(
        ValueError, match="not finite: NaN or infinite in 1 of 4, first in number 2"
    ):
        moments(np.array([[0.0], [1], [np.nan], [2]]))
    with pytest.raises(ValueError, match="needs 2 or more images, not 1"):
        _ = moments(np.zeros((1, 3))).covariance
    with pytest.raises(ValueError, match="can't be merged"):
        moments(np.zeros((3, 2))).merge(moments(np.zeros((3, 4))))
