import jax
import numpy as np
import pytest
import skimage.data
from scipy.ndimage import correlate1d

from gm_jax.errors import UserError
from gm_jax.metrics.ms_ssim import MS_SSIM_WEIGHTS, ms_ssim
from gm_jax.metrics.ssim import ssim

RNG = np.random.default_rng(0)


def by_scipy(x, y, weights, data_range=1.0):
    """Of one grey image [H, W], in float64, from raw moments."""
    offsets = np.arange(11) - 5
    window = np.exp(-0.5 * (offsets / 1.5) ** 2)
    window /= window.sum()

    def blur(v):
        return correlate1d(correlate1d(v, window, 0), window, 1)[5:-5, 5:-5]

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    product = 1.0
    for scale, weight in enumerate(weights):
        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        cs = (2 * cov + c2) / (vx + vy + c2)
        luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        last = scale == len(weights) - 1
        product *= max((luminance * cs if last else cs).mean(), 0.0) ** weight
        x, y = (np.pad(v, [(0, s % 2) for s in v.shape], "edge") for v in (x, y))
        x, y = ((v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]) / 4 for v in (x, y))
    return product


def pair(height, width):
    x = skimage.data.astronaut()[:height, 100 : 100 + width].astype(np.float32)[None] / 255
    return x, np.clip(x + RNG.normal(0, 0.1, x.shape).astype(np.float32), 0, 1)


@pytest.mark.parametrize(
    ("size", "weights"),
    [((176, 201), MS_SSIM_WEIGHTS), ((161, 161), MS_SSIM_WEIGHTS), ((48, 45), (0.2, 0.3, 0.5))],
)
def test_equal_to_scipy(size, weights):
    x, y = pair(*size)
    channels = [
        by_scipy(x[0, ..., c].astype(float), y[0, ..., c].astype(float), weights) for c in range(3)
    ]
    np.testing.assert_allclose(ms_ssim(x, y, weights=weights), [np.mean(channels)], rtol=2e-5)


def test_one_scale_is_ssim():
    x, y = pair(40, 56)
    np.testing.assert_allclose(ms_ssim(x, y, weights=(1.0,)), ssim(x, y), rtol=1e-5)
    np.testing.assert_allclose(
        ms_ssim(x * 255, y * 255, 255.0, weights=(1.0,)), ssim(x, y), rtol=1e-4
    )


def test_bounds():
    x, y = pair(64, 64)
    assert ms_ssim(x, x, weights=(0.5, 0.5)) == pytest.approx(1)
    assert 0 < ms_ssim(x, y, weights=(0.5, 0.5))[0] < 1
    noise = RNG.uniform(size=x.shape).astype(np.float32)
    assert ms_ssim(noise, 1 - noise, weights=(0.5, 0.5)) == 0  # where cs is below 0
    gradient = jax.grad(lambda v: ms_ssim(v, y, weights=(0.5, 0.5)).sum())(x)
    assert np.isfinite(gradient).all()


def test_images_that_are_too_small():
    x = np.zeros((1, 28, 28, 1), np.float32)
    with pytest.raises(UserError, match=r"needs images of 161x161 or more, not 28x28: give fewer"):
        ms_ssim(x, x)
    assert ms_ssim(x, x, weights=(0.5, 0.5)).shape == (1,)
    with pytest.raises(ValueError, match="of one shape"):
        ms_ssim(x, x[:, :20])
    with pytest.raises(UserError, match="odd window_size"):
        ms_ssim(x, x, weights=(1.0,), window_size=4)
    with pytest.raises(ValueError, match="at least one scale"):
        ms_ssim(x, x, weights=())
