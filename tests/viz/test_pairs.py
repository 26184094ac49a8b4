import chex
import numpy as np
import pytest

from gm_jax.viz.density import density_grid, density_picture
from gm_jax.viz.pairs import MOST_COLUMNS, pairs_picture
from gm_jax.viz.scatter import axis_limits

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(300, 4)) * [1, 100, 0.01, 5] + [0, 1e4, -3, 0]


def blue(picture):
    return (picture[..., 2].astype(int) - picture[..., 0]) > 40  # [H, W]


def grey(picture):
    return (picture == 184).all(-1)


@pytest.mark.parametrize(
    ("num", "side"),
    [(1, 300), (2, 300), (3, 450), pytest.param(9, 900, marks=pytest.mark.slow)],
)
def test_a_panel_for_each_pair(num, side):
    real = RNG.normal(size=(200, num))
    picture = pairs_picture(real + 0.1, real, [f"column {i}" for i in range(num)])
    chex.assert_shape(picture, (side, side, 3))
    chex.assert_type(picture, np.uint8)
    shown = min(num, MOST_COLUMNS)
    panels = picture.reshape(shown, side // shown, shown, side // shown, 3).swapaxes(1, 2)
    panels = panels[:, :, 40:-40, 40:-40]  # without the numbers on the axes
    for row in range(shown):
        for column in range(shown):
            drawn = blue(panels[row, column]).any() and grey(panels[row, column]).any()
            assert drawn == (column <= row), (row, column)


def test_each_column_has_an_axis_of_its_own():
    low, high = axis_limits(REAL, one_length=False)
    np.testing.assert_allclose(high - low, 1.5 * np.ptp(REAL, axis=0))
    np.testing.assert_allclose((low + high) / 2, (REAL.min(0) + REAL.max(0)) / 2)
    # So that units do not change the picture, but for the numbers on the axes.
    two = REAL[:, :2]
    one, other = (int(blue(pairs_picture(x + x.std(0) / 10, x)).sum()) for x in (two, 1000 * two))
    assert one > 500
    assert other == pytest.approx(one, rel=0.2)


def test_axes_follow_the_real_points_alone():
    real = REAL[:, :2]
    middle = real.mean(0)
    near, far = (pairs_picture(middle + s * (real - middle), real) for s in (0.01, 100.0))
    np.testing.assert_array_equal(near[-20:], far[-20:])
    assert not blue(pairs_picture(np.full((5, 2), np.nan), real)).any()
    chex.assert_shape(pairs_picture(np.zeros((0, 2)), np.ones((3, 2))), (300, 300, 3))


def test_a_density_over_columns_of_different_units():
    real = REAL[:, :2]
    grid = density_grid(real, one_length=False)
    assert ((grid.min(0) < real.min(0)) & (grid.max(0) > real.max(0))).all()
    np.testing.assert_allclose(np.ptp(grid, axis=0), 1.5 * np.ptp(real, axis=0), rtol=1e-4)
    z = (grid - real.mean(0)) / real.std(0)
    picture = density_picture(-0.5 * (z**2).sum(1), real, False, ("height", "weight"))
    chex.assert_shape(picture, (450, 450, 3))
    rows, columns = np.argwhere(blue(picture)).T
    assert np.ptp(rows) > 150  # round in the picture, though one unit is a hundredth of the other
    assert np.ptp(columns) > 150


def test_wrong_shapes():
    for points, real in ((REAL, REAL[:0]), (REAL, REAL[:, :2]), (REAL[0], REAL)):
        with pytest.raises(ValueError, match="are needed"):
            pairs_picture(points, real)
