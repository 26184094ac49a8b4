import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.metrics.manifold import density_coverage, manifold, precision_recall

RNG = np.random.default_rng(0)


def radius(points, i, k):
    others = [np.linalg.norm(points[i] - p) for j, p in enumerate(points) if j != i]
    return sorted(others)[k - 1]


def by_loops(samples, real, k_balls, k_density):
    """Precision, recall, density, coverage as the papers define them."""

    def inside(x, points, k):
        return [np.linalg.norm(x - p) <= radius(points, i, k) for i, p in enumerate(points)]

    precision = np.mean([any(inside(x, real, k_balls)) for x in samples])
    recall = np.mean([any(inside(x, samples, k_balls)) for x in real])
    held = np.array([inside(x, real, k_density) for x in samples])
    return precision, recall, held.sum() / (k_density * len(samples)), held.any(0).mean()


@pytest.mark.parametrize("block", [1, 13, 1000])
def test_equal_to_loops_in_blocks_of_any_size(block):
    real, samples = RNG.normal(size=(40, 3)), 0.7 + 1.3 * RNG.normal(size=(30, 3))
    precision, recall = precision_recall(samples, real, block=block)
    density, coverage = density_coverage(samples, real, block=block)
    found = [f.value for f in (precision, recall, density, coverage)]
    np.testing.assert_allclose(found, by_loops(samples, real, 3, 5), rtol=1e-12)
    assert manifold(samples, real, block=block) == (precision, recall, density, coverage)
    p = precision.value
    np.testing.assert_allclose(precision.stderr, np.sqrt(p * (1 - p) / 30))


def test_identical_sets():
    x = RNG.normal(size=(300, 8))
    for order in (x, x[::-1]):
        assert [s.value for s in precision_recall(order, x)] == [1, 1]
        density, coverage = density_coverage(order, x)
        assert coverage.value == 1
        assert density.value == pytest.approx(6 / 5)  # each ball has 5 others and itself


def test_a_set_of_equal_images():
    """All radii are 0, and what is equal lies inside none the less."""
    x = np.ones((20, 4), np.float32) * 1e4
    assert [s.value for s in precision_recall(x, x)] == [1, 1]
    assert precision_recall(x + 1, x)[0].value == 0


def test_what_has_no_figures():
    x = np.zeros((4, 3))
    with pytest.raises(UserError, match="4 or more samples are needed, not 3"):
        precision_recall(x[:3], x)
    with pytest.raises(UserError, match="6 or more samples are needed, not 4"):
        density_coverage(x, x)
    with pytest.raises(UserError, match="not finite"):
        precision_recall(x, np.full((4, 3), np.nan))
    with pytest.raises(UserError, match="give both the same features"):
        precision_recall(x, np.zeros((4, 2)))
