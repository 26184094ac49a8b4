"""Paired errors: standard errors against simulation and closed forms, and what is recommended."""

import re

import numpy as np
import pytest

from gm_jax.evaluation.paired import clustered_stderr, compare, mean_of, ratio_of_means, recommend

SECONDS = (1200.0, 2400.0, 3600.0)


def test_without_groups_it_is_the_standard_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(clustered_stderr(values), values.std(0, ddof=1) / np.sqrt(50))
    np.testing.assert_allclose(clustered_stderr(values, np.arange(50)), clustered_stderr(values))
    # Every example five times tells no more than it does once.
    again = clustered_stderr(np.repeat(values, 5, 0), np.repeat(np.arange(50), 5))
    np.testing.assert_allclose(again, clustered_stderr(values))
    assert np.isnan(clustered_stderr(values, np.zeros(50))).all()


def test_what_was_not_seen_does_not_count():
    values = np.random.default_rng(0).normal(2, 1, (50, 2))
    groups = np.repeat(np.arange(10), 5)
    holed = values.copy()
    holed[5:12, 0], holed[:, 1] = np.nan, np.nan
    kept = np.delete(values[:, :1], np.s_[5:12], 0), np.delete(groups, np.s_[5:12])
    found = clustered_stderr(holed, groups)
    np.testing.assert_allclose(found, [*clustered_stderr(*kept), np.nan])
    np.testing.assert_allclose(mean_of(holed), [kept[0].mean(), np.nan])
    holed[:, 1] = values[:, 1]
    paired = compare(holed * [[0.5, 0.7]], holed, groups)
    np.testing.assert_allclose([f.value for f in paired.ratio], [0.5, 0.7])
    assert 0.5 < paired.overall.value < 0.7
    assert paired.better == (True, True)


def test_groups_have_the_scatter_of_means_over_many_repetitions():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), rng.integers(1, 9, 20))
    draws = [rng.normal(size=20)[groups] + 0.3 * rng.normal(size=len(groups)) for _ in range(2000)]
    scatter = np.std([d.mean() for d in draws])
    said = np.sqrt(np.mean([clustered_stderr(d, groups) ** 2 for d in draws]))
    np.testing.assert_allclose(said, scatter, rtol=0.1)
    assert np.mean([clustered_stderr(d) for d in draws]) < 0.6 * scatter


def test_a_ratio_of_means_scatters_as_said():
    rng = np.random.default_rng(0)
    b = rng.gamma(4, 1, (2000, 100))
    a = 0.5 * b + rng.normal(0, 0.2, b.shape)  # they go up and down together
    found = [ratio_of_means(x, y, None) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(np.mean([r for r, _ in found]), 0.5, rtol=0.01)
    np.testing.assert_allclose(
        np.mean([e for _, e in found]), np.std([r for r, _ in found]), rtol=0.1
    )


def test_what_is_paired_is_surer_than_what_is_not():
    rng = np.random.default_rng(0)
    hard = rng.gamma(1, 1, (40, 1))
    other, own = hard * np.ones((1, 2)), hard * np.array([[0.9, 1.1]])
    paired = compare(own, other, None)
    assert paired.better == (True, False)
    np.testing.assert_allclose([f.value for f in paired.ratio], [0.9, 1.1])
    np.testing.assert_allclose([f.stderr for f in paired.ratio], 0, atol=1e-12)
    np.testing.assert_allclose(paired.overall.value, 1.0)
    assert paired.difference[0].stderr < 0.2 * clustered_stderr(own)[0]
    assert paired.plain()["mse_ratio"] == [f.value for f in paired.ratio]


OF = r"MSE of this model is \d.\d{3} ± 0.0\d\d of persistence's, "


@pytest.mark.parametrize(
    ("factors", "line"),
    [
        ((0.4, 0.4, 0.4), "forecast with this model: MSE 0.[34].. ± 0.0.. of persistence's, less"),
        ((1.5, 1.5, 1.5), f"use persistence: {OF}at no lead time clearly less"),
        ((0.5, 1.3, 1.3), rf"use this model to \+20 min, persistence beyond: {OF}over all lead"),
        (
            (0.5, 1.3, 0.5),
            r"use this model to \+20 min, persistence to \+40 min, this model beyond",
        ),
        ((1.0, 1.0, 1.0), f"use persistence: {OF}"),
    ],
)
def test_one_line_says_what_to_use(factors, line):
    rng = np.random.default_rng(1)
    still = 1 + rng.gamma(2, 1, (60, 3))
    own = still * factors + rng.normal(0, 0.3, still.shape)
    worse = {"persistence": still, "extrapolation": still * 1.2}
    said = recommend(SECONDS, own, worse)
    assert re.match(line, said), said
    assert "\n" not in said


def test_the_better_baseline_counts_by_lead_time():
    still = np.ones((9, 3)) + np.arange(9)[:, None] / 100
    moved = still * [0.5, 0.5, 2.0]
    said = recommend(SECONDS, still * 3, {"persistence": still, "extrapolation": moved})
    assert said.startswith("use extrapolation to +40 min, persistence beyond: MSE of this model is")
    assert "of the better baseline's" in said


def test_one_storm_alone_says_so():
    still = np.ones((4, 3))
    alone = recommend(SECONDS, still / 2, {"persistence": still}, np.zeros(4), "this ensemble")
    assert alone == (
        "forecast with this ensemble: MSE 0.500 of persistence's, less at every lead time; these "
        "are examples of one sequence, so nobody knows how sure that is"
    )
