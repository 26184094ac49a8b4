"""Agreement and coverage of labels against scikit-learn, scipy and loops."""

import numpy as np
from scipy import stats
from sklearn.metrics import confusion_matrix

from gm_jax.metrics.labels import class_coverage, confusion


def test_confusion_is_a_loops_and_scikit_learns():
    asked, read = np.random.default_rng(0).integers(0, 5, (2, 200)).astype(np.int32)
    counts = np.zeros((6, 6), int)  # no sample is of class 5
    for i, j in zip(asked, read, strict=True):
        counts[i, j] += 1
    np.testing.assert_array_equal(confusion(asked, read, 6), counts)
    np.testing.assert_array_equal(counts, confusion_matrix(asked, read, labels=range(6)))


def test_coverage_is_a_loops():
    read = np.random.default_rng(1).choice(4, 500, p=[0.6, 0.395, 0.005, 0.0])
    coverage = class_coverage(read, 4)
    shares = [sum(r == k for r in read) / 500 for k in range(4)]
    assert coverage.classes_hit == sum(s > 0 for s in shares)
    assert coverage.classes_held == sum(s >= 0.01 for s in shares) == 2
    np.testing.assert_allclose(coverage.kl_to_uniform, stats.entropy(shares, [0.25] * 4))


def test_the_ends_of_the_divergence():
    assert class_coverage(np.arange(40) % 4, 4).kl_to_uniform == 0
    np.testing.assert_allclose(class_coverage(np.zeros(9, int), 4).kl_to_uniform, np.log(4))


def test_the_divergences_error_is_its_spread_over_repetitions():
    rng = np.random.default_rng(2)
    draws = [class_coverage(rng.choice(3, 2000, p=[0.5, 0.3, 0.2]), 3) for _ in range(400)]
    spread = np.std([d.kl_to_uniform for d in draws])
    np.testing.assert_allclose(np.mean([d.kl_stderr for d in draws]), spread, rtol=0.15)
