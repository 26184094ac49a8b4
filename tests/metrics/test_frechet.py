"""FID against scipy's matrix root in float64, closed forms, and itself."""

import numpy as np
import pytest
import scipy.linalg

from gm_jax.errors import UserError
from gm_jax.metrics.frechet import fid, fid_infinity, frechet_distance, frechet_error, gaussian
from gm_jax.metrics.moments import Moments, moments

RNG = np.random.default_rng(0)


def by_scipy(x, y):
    """As in the paper's code: the root of S1 S2, its imaginary part left out."""
    a, b = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(a @ b)
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root.real)


def of(mean, covariance):
    """A Gaussian that is known exactly."""
    covariance = np.asarray(covariance, float)
    return gaussian(Moments(101, np.asarray(mean, float), 100 * covariance))


@pytest.mark.parametrize("dim", [1, 3, 64])
def test_equal_to_scipy(dim):
    mixes = RNG.normal(size=(2, dim, dim))
    x = 1 + RNG.normal(size=(300, dim)) @ mixes[0]
    y = RNG.normal(size=(200, dim)) @ mixes[1]
    if dim == 1:
        expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    else:
        expected = by_scipy(x, y)
    np.testing.assert_allclose(fid(x, y), expected, rtol=1e-8)
    np.testing.assert_allclose(fid(y, x), expected, rtol=1e-8)


def test_fewer_images_than_dimensions():
    """The trace of the root is also that of the small Gram matrix, which is not singular."""
    x, y = RNG.normal(size=(20, 64)), 0.3 + 2 * RNG.normal(size=(30, 64))
    centred = [(v - v.mean(0)) / np.sqrt(len(v) - 1) for v in (x, y)]
    cross = centred[0] @ centred[1].T  # [20, 30], of rank 19
    root = np.sqrt(np.clip(scipy.linalg.eigvalsh(cross @ cross.T), 0, None)).sum()
    traces = sum((v**2).sum() for v in centred)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + traces - 2 * root
    np.testing.assert_allclose(fid(x, y), expected, rtol=1e-7)


def test_closed_forms():
    assert frechet_distance(of([3, 4], np.eye(2)), of([0, 0], np.eye(2))) == pytest.approx(25)
    apart = frechet_distance(of([0, 0], np.diag([4, 9])), of([0, 0], np.diag([1, 1])))
    assert apart == pytest.approx(1 + 4)
    # In planes that share one axis only: what is singular has a distance too.
    planes = frechet_distance(of([0] * 3, np.diag([1, 1, 0])), of([0] * 3, np.diag([0, 4, 4])))
    assert planes == pytest.approx(1 + 1 + 4)
    point = frechet_distance(of([0, 0], np.zeros((2, 2))), of([1, 0], np.eye(2)))
    assert point == pytest.approx(1 + 2)


def test_turning_both_changes_nothing():
    x, y = RNG.normal(size=(80, 10)), 2 + RNG.normal(size=(90, 10)) * np.arange(10)
    turn = np.linalg.qr(RNG.normal(size=(10, 10)))[0]
    np.testing.assert_allclose(fid(x @ turn, y @ turn), fid(x, y), rtol=1e-9)


@pytest.mark.parametrize("shape", [(500, 30), (20, 64)])
def test_a_set_has_no_distance_from_itself(shape):
    x = RNG.normal(size=shape)
    assert fid(x, x) == pytest.approx(0, abs=1e-9)
    assert fid(x, x[::-1]) == pytest.approx(0, abs=1e-9)


def test_infinitely_many_samples_are_nearer_than_those_there_are():
    x = RNG.normal(size=(4000, 20))
    truth = of(np.full(20, 0.1), np.eye(20))  # at distance 20 * 0.01
    few = fid(x[:400], RNG.normal(0.1, 1, (200_000, 20)))
    endless = fid_infinity(x[:400], truth)
    assert few > 0.5
    # 20 dimensions: the mean alone scatters by 2 * 0.1 * sqrt(20 / 400).
    assert abs(endless.value - 0.2) < 0.15 < few - 0.3
    assert 0 < endless.stderr < 0.1
    assert fid_infinity(x[:400], truth) == endless
    assert fid_infinity(x[:400], truth, seed=1) != endless


@pytest.mark.parametrize("shift", [0.5, 0.0])
def test_the_standard_error_is_that_of_repeated_draws(shift):
    reference = of(np.full(4, shift), np.diag([1, 2, 3, 0.5]))
    draws = [RNG.normal(size=(300, 4)) for _ in range(200)]
    found = [frechet_distance(gaussian(moments(x)), reference) for x in draws]
    told = [frechet_error(x, moments(x), reference) for x in draws]
    np.testing.assert_allclose(np.mean(told), np.std(found), rtol=0.15)


def test_the_influence_is_that_of_leaving_one_out():
    x, reference = RNG.normal(size=(60, 3)), of([1, 0, 0], np.diag([2, 1, 1]))
    left_out = [
        frechet_distance(gaussian(moments(np.delete(x, i, 0))), reference) for i in range(60)
    ]
    jackknife = np.sqrt(59 * np.var(left_out))
    np.testing.assert_allclose(frechet_error(x, moments(x), reference), jackknife, rtol=0.1)
    line = np.outer(RNG.normal(size=60), [1, 1, 0])  # of rank 1, and so is the reference
    flat = gaussian(moments(2 * line))
    assert 0 < frechet_error(line, moments(line), flat) < np.inf


def test_what_has_no_distance():
    x = np.zeros((5, 3))
    with pytest.raises(UserError, match="needs 2 or more images, not 1"):
        fid(x[:1], x)
    with pytest.raises(UserError, match="of 3 and of 4 dimensions"):
        fid(x, np.zeros((5, 4)))
    with pytest.raises(UserError, match="not finite"):
        fid(x, np.full((5, 3), np.nan))
    with pytest.raises(UserError, match="50 or more samples are needed, not 5"):
        fid_infinity(x, gaussian(moments(x)))
