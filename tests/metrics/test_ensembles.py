"""CRPS and the ratio of spread and error: against loops, a Gaussian's closed form, calibration."""

import numpy as np
import pytest
from scipy import stats

from gm_jax.metrics.crps import crps
from gm_jax.metrics.spread_skill import spread_skill_ratio


@pytest.mark.parametrize("num", [1, 2, 5])
def test_crps_is_the_mean_over_pairs_of_different_members(num):
    rng = np.random.default_rng(0)
    members, target = rng.normal(size=(num, 3, 4)), rng.normal(size=(3, 4))
    wanted = np.abs(members - target).mean(0)
    for r in range(num):
        for s in range(num):
            if r != s:
                wanted -= np.abs(members[r] - members[s]) / (2 * num * (num - 1))
    np.testing.assert_allclose(crps(members, target), wanted, rtol=1e-5, atol=1e-6)


def test_crps_of_draws_of_a_gaussian_is_its_closed_form_on_average():
    """Three members each: the fair estimator has no bias (Gneiting & Raftery 2007, equation 21)."""
    rng = np.random.default_rng(0)
    mean, scale, y = 0.3, 1.7, 1.2
    z = (y - mean) / scale
    exact = scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    found = np.asarray(crps(rng.normal(mean, scale, (3, 40_000)), np.full(40_000, y)))
    stderr = found.std() / 200
    assert abs(found.mean() - exact) < 4 * stderr
    # The estimator of all pairs, a member with itself too, would be seen to be off.
    assert scale / np.sqrt(np.pi) / 3 > 10 * stderr


def test_crps_of_what_does_not_fit():
    with pytest.raises(ValueError, match="differ"):
        crps(np.zeros((2, 3)), np.zeros(4))


@pytest.mark.parametrize(("num", "scale"), [(2, 1.0), (5, 1.0), (5, 0.5)])
def test_spread_matches_error_where_truth_is_one_more_draw(num, scale):
    rng = np.random.default_rng(0)
    center = rng.normal(size=(20_000, 1))
    members = center + scale * rng.normal(size=(20_000, num))
    came = center[:, 0] + rng.normal(size=20_000)
    error = (members.mean(1) - came) ** 2
    ratio = spread_skill_ratio(members.var(1, ddof=1), error, num)
    wanted = np.sqrt((num + 1) / num * scale**2 / (1 + scale**2 / num))
    np.testing.assert_allclose(ratio, wanted, rtol=0.03)
    with pytest.raises(ValueError, match="two members, not 1"):
        spread_skill_ratio(error, error, 1)


def test_what_is_not_known_enters_neither_spread_nor_error():
    rng = np.random.default_rng(0)
    variance, error = rng.uniform(1, 2, (2, 6, 3))
    error[4, 1] = variance[4, 1] = np.nan
    error[:, 2] = np.nan
    ratio = spread_skill_ratio(variance, error, 2)
    seen = [0, 1, 2, 3, 5]
    wanted = spread_skill_ratio(variance[seen, 1], error[seen, 1], 2)
    np.testing.assert_allclose(ratio[1], wanted, rtol=1e-12)
    assert np.isnan(ratio).tolist() == [False, False, True]
