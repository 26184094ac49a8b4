"""What is wrong with samples moves the figure that is there for it, and no other."""

import numpy as np
import pytest

from gm_jax.metrics.frechet import fid
from gm_jax.metrics.kernel_distance import kid
from gm_jax.metrics.manifold import density_coverage, precision_recall

CENTERS = 6 * np.eye(5, 10)


def clusters(seed, labels=range(5), num=500):
    """Points of five classes in ten dimensions."""
    rng = np.random.default_rng(seed)
    return CENTERS[np.resize(list(labels), num)] + rng.normal(size=(num, 10))


@pytest.fixture(scope="module")
def reference():
    return clusters(0)


def figures(samples, reference):
    found = {"fid": fid(samples, reference), "kid": kid(samples, reference).value}
    found["precision"], found["recall"] = (s.value for s in precision_recall(samples, reference))
    found["density"], found["coverage"] = (s.value for s in density_coverage(samples, reference))
    return found


@pytest.fixture(scope="module")
def good(reference):
    return figures(clusters(1), reference)


def test_fresh_ones_are_good(good):
    assert good["fid"] < 1
    assert abs(good["kid"]) < 1
    assert min(good["precision"], good["recall"], good["coverage"]) > 0.8
    assert good["density"] == pytest.approx(1, abs=0.1)


def test_noise_in_half_of_them_lowers_precision_and_density_alone(good, reference):
    samples = clusters(1)
    samples[:250] = 40 * np.random.default_rng(2).normal(size=(250, 10))
    bad = figures(samples, reference)
    assert bad["precision"] < 0.6
    assert bad["density"] < 0.6
    assert bad["recall"] >= good["recall"] - 0.01
    assert bad["coverage"] > good["coverage"] - 0.15
    assert bad["fid"] > 100 * good["fid"]
    assert bad["kid"] > 20 * abs(good["kid"])


def test_a_class_that_is_missing_lowers_recall_and_coverage_alone(good, reference):
    bad = figures(clusters(1, labels=range(4)), reference)
    assert bad["recall"] < good["recall"] - 0.15
    assert bad["coverage"] < good["coverage"] - 0.15
    assert bad["precision"] >= good["precision"] - 0.03
    assert bad["density"] >= good["density"] - 0.1
    assert bad["fid"] > 5 * good["fid"]


def test_equal_samples_have_precision_and_nothing_else(good, reference):
    samples = np.repeat(CENTERS[:1], 500, 0)
    bad = figures(samples, reference)
    assert bad["precision"] == 1
    assert bad["recall"] == 0
    assert bad["coverage"] < 0.2
    assert bad["fid"] > 10
