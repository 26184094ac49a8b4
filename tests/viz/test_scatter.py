import chex
import numpy as np
import pytest

from gm_jax.viz.scatter import scatter_picture

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(500, 2)).astype(np.float32)


def blue(picture):
    return (picture[..., 2].astype(int) - picture[..., 0]) > 40  # [H, W]


def grey(picture):
    return (picture == 184).all(-1)


def test_points_lie_where_they_should():
    corners = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]], np.float32)
    pictures = [scatter_picture(np.repeat(c[None], 50, 0), corners) for c in corners]
    for picture in pictures:
        chex.assert_shape(picture, (450, 450, 3))
        chex.assert_type(picture, np.uint8)
    (y0, x0), (y1, x1), (y2, x2), (y3, x3) = (np.argwhere(blue(p)).mean(0) for p in pictures)
    assert x1 - x0 == pytest.approx(x3 - x2, abs=1)
    assert y0 - y2 == pytest.approx(y1 - y3, abs=1)  # upwards is up
    assert x1 - x0 == pytest.approx(y0 - y2, abs=1)  # one unit is as long in both directions
    assert x1 > x0
    assert y0 > y2


def test_axes_follow_the_real_points_alone():
    near, far = (scatter_picture(s * REAL, REAL) for s in (0.01, 100.0))
    np.testing.assert_array_equal(near[-60:], far[-60:])  # the ticks
    assert blue(near).sum() > 20
    assert grey(near).sum() > 1000
    hidden = scatter_picture(np.full((5, 2), np.nan, np.float32), REAL)
    assert not blue(hidden).any()


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_dimensions(num_dims):
    real = RNG.normal(size=(300, num_dims))
    picture = scatter_picture(real + 0.5, real)
    assert blue(picture).sum() > 100
    assert grey(picture).sum() > 100
    np.testing.assert_array_equal(picture, scatter_picture(real + 0.5, real))


def test_degenerate_and_wrong():
    same = np.ones((3, 2))
    chex.assert_shape(scatter_picture(same, same), (450, 450, 3))
    chex.assert_shape(scatter_picture(np.zeros((0, 2)), same), (450, 450, 3))
    for points, real in ((same, np.zeros((0, 2))), (same, np.ones((3, 1))), (same[0], same)):
        with pytest.raises(ValueError, match="are needed"):
            scatter_picture(points, real)
