import jax
import numpy as np
import pytest

from gm_jax.data import Grid, Ring
from gm_jax.metrics.modes import mode_coverage


def by_loops(samples, centers, scale, max_distance, min_share):
    good_of, all_of = np.zeros(len(centers), int), np.zeros(len(centers), int)
    for sample in samples:
        distances = [np.sqrt(((sample - center) ** 2).sum()) for center in centers]
        mode = int(np.argmin(distances))
        all_of[mode] += 1
        if distances[mode] <= max_distance * scale:
            good_of[mode] += 1
    kl = sum(c / len(samples) * np.log(c / len(samples) * len(centers)) for c in all_of if c)
    num_held = sum(c >= min_share * len(samples) for c in good_of)
    return good_of.sum() / len(samples), sum(c > 0 for c in good_of), num_held, kl


@pytest.mark.parametrize(("max_distance", "min_share"), [(3.0, 0.01), (1.0, 0.05), (2.0, 0.0)])
@pytest.mark.parametrize("num_dims", [1, 2, 5])
def test_equal_to_a_loop(num_dims, max_distance, min_share):
    rng = np.random.default_rng(num_dims)
    centers = rng.normal(0, 3, (6, num_dims)).astype(np.float32)
    # Skewed shares, one mode left out, and some samples far from all.
    modes = rng.choice(6, 300, p=[0.5, 0.3, 0.1, 0.08, 0.02, 0])
    samples = centers[modes] + rng.normal(0, 0.4, (300, num_dims)).astype(np.float32)
    got = jax.jit(mode_coverage)(samples, centers, 0.3, max_distance, min_share)
    expected = by_loops(samples, centers, 0.3, max_distance, min_share)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("source", [Ring(), Grid()])
def test_real_points_hold_every_mode(source):
    points = source.open("test").load_all()["image"][:, 0, 0]
    coverage = mode_coverage(points, source.centers, source.scale)
    assert coverage.modes_hit == coverage.modes_held == len(source.centers)
    # Rayleigh: P(within 3 sigma) = 1 - exp(-9 / 2).
    assert abs(coverage.good_share - 0.98889) < 4 * np.sqrt(0.98889 * 0.01111 / len(points))
    assert 0 <= coverage.kl_to_uniform < 0.005


def test_collapse_and_strays():
    source = Ring()
    collapsed = np.repeat(source.centers[:1], 999, 0)
    samples = np.concatenate([collapsed, source.centers[3:4]])
    coverage = mode_coverage(samples, source.centers, source.scale)
    assert coverage.good_share == 1
    assert coverage.modes_hit == 2  # one stray of a thousand is enough
    assert coverage.modes_held == 1
    alone = mode_coverage(collapsed, source.centers, source.scale)
    np.testing.assert_allclose(alone.kl_to_uniform, np.log(8), rtol=1e-5)
    nowhere = mode_coverage(np.zeros((10, 2), np.float32), source.centers, source.scale)
    assert nowhere.good_share == nowhere.modes_hit == nowhere.modes_held == 0


def test_shapes_that_do_not_fit():
    for samples in (np.zeros((0, 2)), np.zeros((3, 3)), np.zeros((3, 1, 1, 2))):
        with pytest.raises(ValueError, match="are needed"):
            mode_coverage(samples, np.zeros((4, 2)), 0.1)
