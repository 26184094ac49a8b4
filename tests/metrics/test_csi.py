"""The critical success index against a loop over pixels."""

import numpy as np
import pytest

from gm_jax.data.sequences.sevir import VIL_THRESHOLDS
from gm_jax.metrics.csi import Contingency, contingency, critical_success_index, jackknife

RNG = np.random.default_rng(0)
PREDICTION, TARGET = RNG.integers(0, 256, (2, 5, 2, 4, 6, 1)).astype(np.uint8)  # [N, M, H, W, 1]
TARGET[RNG.random(TARGET.shape) < 0.5] = 0
TARGET[:, 1] = np.minimum(TARGET[:, 1], 180)
PREDICTION[:, 1] = np.minimum(PREDICTION[:, 1], 200)


def test_it_is_the_loop_over_pixels_and_sums_before_it_divides():
    assert VIL_THRESHOLDS == (16, 74, 133, 160, 181, 219)
    expected = np.full((2, 6), np.nan)
    for m in range(2):
        for k, threshold in enumerate(VIL_THRESHOLDS):
            hits = misses = false_alarms = 0
            for p, t in zip(PREDICTION[:, m].ravel(), TARGET[:, m].ravel(), strict=True):
                hits += p >= threshold and t >= threshold
                misses += p < threshold and t >= threshold
                false_alarms += p >= threshold and t < threshold
            if hits + misses + false_alarms:
                expected[m, k] = hits / (hits + misses + false_alarms)
    counts = contingency(PREDICTION, TARGET, VIL_THRESHOLDS)
    assert counts.hits.shape == (5, 2, 6)
    np.testing.assert_allclose(critical_success_index(counts), expected)
    assert expected[1, 4] == 0  # forecast there, and never true
    assert np.isnan(expected[1, 5])  # neither


def test_a_perfect_forecast_has_one():
    counts = contingency(TARGET, TARGET, (1, 100))
    np.testing.assert_array_equal(critical_success_index(counts), 1.0)
    # As many pixels as int32 cannot count.
    many = type(counts)(*(np.full((3, 1), v, np.int32) for v in (2**31 - 1, 2**31 - 1, 0)))
    np.testing.assert_array_equal(critical_success_index(many), [0.5])


def test_shapes_have_to_be_the_same():
    with pytest.raises(ValueError, match="differ"):
        contingency(PREDICTION, TARGET[:, :1], VIL_THRESHOLDS)


def test_the_jackknife_of_ratios_that_are_means():
    """With as many events in each frame the index is a mean, and has the error of a mean."""
    hits = RNG.integers(0, 11, (20, 2, 3))
    counts = Contingency(hits, 10 - hits, np.zeros_like(hits))
    expected = (hits / 10).std(0, ddof=1) / np.sqrt(20)
    np.testing.assert_allclose(jackknife(counts), expected)


def test_what_was_not_seen_is_not_counted():
    seen = RNG.random(TARGET.shape) < 0.5
    counts = contingency(PREDICTION, TARGET, (50,), seen)
    forecast, came = PREDICTION >= 50, TARGET >= 50
    for got, where in zip(
        counts, (forecast & came, ~forecast & came, forecast & ~came), strict=True
    ):
        np.testing.assert_array_equal(got[..., 0], (where & seen).sum((-3, -2, -1)))
