"""Coverage of labels against scipy and loops."""

import numpy as np
from scipy import stats

from gm_jax.metrics.labels import class_coverage


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
