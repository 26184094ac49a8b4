import chex
import numpy as np
import pytest
from scipy import stats

from gm_jax.viz.density import _MASSES, _levels, density_grid, density_picture

REAL = np.random.default_rng(0).normal(size=(400, 2))


def blue(picture):
    return (picture[..., 2].astype(int) - picture[..., 0]) > 40  # [H, W]


def test_lines_enclose_what_standard_deviations_do():
    gaussian = stats.multivariate_normal([0.3, -0.2], [[1.0, 0.4], [0.4, 0.5]])
    grid = density_grid(4 * REAL)
    levels = _levels(gaussian.pdf(grid))
    deviations = np.sqrt(2 * np.log(gaussian.pdf([0.3, -0.2]) / levels))
    np.testing.assert_allclose(deviations, [3, 2, 1], rtol=0.1)
    np.testing.assert_allclose(_MASSES, stats.chi2(2).cdf([1, 4, 9]), rtol=1e-6)


@pytest.mark.parametrize("num_dims", [1, 2])
def test_pictures(num_dims):
    real = REAL[:, :num_dims]
    grid = density_grid(real)
    assert grid.shape[1] == num_dims
    assert ((grid.min(0) < real.min(0)) & (grid.max(0) > real.max(0))).all()
    gaussian = stats.multivariate_normal(np.zeros(num_dims))
    picture = density_picture(gaussian.logpdf(grid), real)
    chex.assert_shape(picture, (450, 450, 3))
    chex.assert_type(picture, np.uint8)
    assert blue(picture).sum() > 300
    # Where the density is, the lines are: in the right half, and upwards is up.
    moved = stats.multivariate_normal(np.full(num_dims, 2.0), 0.1)
    y, x = np.argwhere(blue(density_picture(moved.logpdf(grid), real))).T
    assert np.median(x) > 225
    assert num_dims == 1 or y.mean() < 200


def test_densities_without_lines():
    grid = density_grid(REAL)
    for log_density in (np.full(len(grid), -np.inf), np.full(len(grid), np.nan)):
        assert not blue(density_picture(log_density, REAL)).any()
    chex.assert_shape(density_picture(np.zeros(len(grid)), REAL), (450, 450, 3))


def test_wrong_shapes():
    for real in (np.zeros((0, 2)), np.zeros((4, 3)), np.zeros(4)):
        with pytest.raises(ValueError, match="are needed"):
            density_grid(real)
    with pytest.raises(ValueError, match="log-densities are needed"):
        density_picture(np.zeros(3), REAL)
