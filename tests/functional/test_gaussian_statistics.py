import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.gaussian_fit import fit_scales, shares
from gm_jax.functional.gaussian_statistics import (
    GaussianStatistics,
    empty_statistics,
    merge_statistics,
    pooled_mean_and_variance,
    scale_statistics,
    split_heaviest,
    weighted_statistics,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) * [1.0, 1e-3, 2.0] + [0.0, 1.0, -3.0]
WEIGHTS = RNG.uniform(size=(60, 2))


def statistics_of(x, weights, diagonal=False):
    return weighted_statistics(
        jnp.asarray(x, jnp.float32), jnp.asarray(weights, jnp.float32), diagonal
    )


@pytest.mark.parametrize("diagonal", [False, True])
def test_statistics_are_numpys_and_parts_make_the_whole(diagonal):
    whole = statistics_of(X, WEIGHTS, diagonal)
    parts = empty_statistics(jnp.full((2, 3), 7.0), diagonal)
    for start in range(0, 60, 13):
        part = statistics_of(X[start : start + 13], WEIGHTS[start : start + 13], diagonal)
        parts = merge_statistics(parts, part)
    for k in range(2):
        covariance = np.cov(X.T, aweights=WEIGHTS[:, k], ddof=0)
        expected = np.diag(covariance) if diagonal else covariance
        # Of 1e-6, beside a mean of 1: no digits were lost in float32.
        tolerance = 1e-4 * np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        for found in (whole, parts):
            np.testing.assert_allclose(found.counts[k], WEIGHTS[:, k].sum(), rtol=1e-5)
            np.testing.assert_allclose(
                found.mean[k], np.average(X, 0, WEIGHTS[:, k]), rtol=1e-5, atol=1e-5
            )
            error = np.abs(found.scatter[k] / found.counts[k] - expected)
            assert (error <= (np.diag(tolerance) if diagonal else tolerance)).all()


def test_nothing_changes_nothing():
    some, none = statistics_of(X, WEIGHTS), statistics_of(X, 0 * WEIGHTS)
    chex.assert_tree_all_finite(none)
    chex.assert_trees_all_close(merge_statistics(some, none), some, rtol=1e-6)
    empty = empty_statistics(jnp.ones((2, 3)), diagonal=False)
    chex.assert_trees_all_equal(merge_statistics(empty, none), empty)


def test_weights_scale():
    scaled = scale_statistics(statistics_of(X, WEIGHTS), 0.25)
    chex.assert_trees_all_close(scaled, statistics_of(X, 0.25 * WEIGHTS), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("diagonal", [False, True])
def test_pooled(diagonal):
    hard = np.eye(2)[RNG.integers(0, 2, 60)]
    mean, variance = pooled_mean_and_variance(statistics_of(X, hard, diagonal))
    np.testing.assert_allclose(mean, X.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, X.var(0), rtol=1e-4)


def test_scales_are_the_formulas():
    labels = RNG.integers(0, 4, 60)  # two classes with two Gaussians each
    hard = np.eye(4)[labels]
    flat = statistics_of(X, hard)
    statistics = jax.tree.map(lambda s: s.reshape(2, 2, *s.shape[1:]), flat)
    total = np.diag(X.var(0))
    for shrinkage in (0.0, 0.5):
        full = fit_scales(statistics, "full", 0.01, shrinkage)
        tied = fit_scales(statistics, "tied", 0.01, shrinkage)
        chex.assert_shape(full, (2, 2, 3, 3))
        chex.assert_shape(tied, (2, 1, 3, 3))
        for c in range(2):
            of_class = labels // 2 == c
            within = 0
            for k in range(2):
                mine = X[labels == 2 * c + k]
                share = len(mine) / of_class.sum()
                covariance = np.cov(mine.T, ddof=0)
                within = within + share * covariance
                expected = (share * covariance + shrinkage * total) / (share + shrinkage)
                expected += 0.01 * np.eye(3)
                np.testing.assert_allclose(
                    full[c, k] @ full[c, k].T, expected, rtol=1e-3, atol=1e-5
                )
            expected = (within + shrinkage * total) / (1 + shrinkage) + 0.01 * np.eye(3)
            np.testing.assert_allclose(tied[c, 0] @ tied[c, 0].T, expected, rtol=1e-3, atol=1e-5)
    of_diagonal = GaussianStatistics(
        statistics.counts,
        statistics.mean,
        jnp.diagonal(statistics.scatter, axis1=-2, axis2=-1),
    )
    expected = np.array([[X[labels == 2 * c + k].var(0) for k in range(2)] for c in range(2)])
    found = fit_scales(of_diagonal, "diagonal", 0.01, 0.0)
    np.testing.assert_allclose(found**2, expected + 0.01, rtol=1e-4)


def test_a_gaussian_of_nothing_has_the_variances_of_all():
    weights = np.stack([np.ones(60), np.zeros(60)], 1)
    statistics = jax.tree.map(lambda s: s[None], statistics_of(X, weights))
    scales = fit_scales(statistics, "full", 1e-6, 0.0)
    np.testing.assert_allclose(
        scales[0, 1] @ scales[0, 1].T, np.diag(X.var(0)), rtol=1e-3, atol=1e-5
    )
    share = shares(statistics.counts)[0]
    assert 0 < share[1] < 1e-6
    np.testing.assert_allclose(share.sum(), 1.0, rtol=1e-6)


@pytest.mark.parametrize("diagonal", [False, True])
def test_the_halves_of_the_heaviest_together_are_what_it_was(diagonal):
    weights = np.concatenate([WEIGHTS, np.full((60, 1), 1e-9)], 1) * [1.0, 2.0, 1.0]
    before = statistics_of(X, weights, diagonal)
    after = split_heaviest(before, jnp.asarray(2))
    first, heavy, second = (jax.tree.map(lambda s, k=k: s[k], after) for k in range(3))
    chex.assert_trees_all_equal(first, jax.tree.map(lambda s: s[0], before))
    np.testing.assert_allclose(heavy.counts, second.counts)
    np.testing.assert_allclose(after.counts.sum(), before.counts.sum(), rtol=1e-6)
    chex.assert_trees_all_close(
        merge_statistics(heavy, second), jax.tree.map(lambda s: s[1], before), rtol=1e-4, atol=1e-6
    )
    apart = np.abs(np.asarray(heavy.mean - second.mean, np.float64))
    deviations = X.std(0)
    np.testing.assert_allclose(apart[2], np.sqrt(2) * deviations[2], rtol=0.2)  # the widest
    scatter = np.asarray(second.scatter, np.float64)
    assert (scatter if diagonal else np.linalg.eigvalsh(scatter)).min() > 0


def test_the_prior_is_that_of_the_class_or_of_all():
    two = jax.tree.map(
        lambda a, b: jnp.stack([a, b]), *(statistics_of(x, WEIGHTS) for x in (X, 3 * X))
    )
    own, all_data = (
        np.asarray(fit_scales(two, "full", 1e-12, 1e7, own_prior)) for own_prior in (True, False)
    )
    np.testing.assert_allclose(own[1], 3 * own[0], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(all_data[1], all_data[0], rtol=1e-3, atol=1e-6)
    _, variance = pooled_mean_and_variance(two)
    np.testing.assert_allclose(np.diagonal(all_data[0, 0]) ** 2, variance, rtol=1e-3)
