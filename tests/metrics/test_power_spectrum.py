"""Radial power spectra against a loop, Parseval, and waves and noise whose spectrum is known."""

import chex
import numpy as np
import pytest

from gm_jax.metrics.power_spectrum import fine_wavenumbers, radial_power, tapered


def by_hand(image):
    """The same of one image [H, W, C], frequency by frequency."""
    height, width, channels = image.shape
    shorter = min(height, width)
    y, x = np.mgrid[:height, :width]
    sums = {}
    for row in range(height):
        for column in range(width):
            down = row if row < height / 2 else row - height
            right = column if column < width / 2 else column - width
            ring = round(np.sqrt((down / height) ** 2 + (right / width) ** 2) * shorter)
            wave = np.exp(-2j * np.pi * (row * y / height + column * x / width))
            for c in range(channels):
                power = abs((image[..., c] * wave).mean()) ** 2
                sums[ring] = sums.get(ring, 0) + power
    return np.array([sums.get(k, 0) for k in range(max(sums) + 1)])


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 6, 2), (5, 7, 1)])
def test_rings_against_a_loop_and_parseval(shape):
    images = np.random.default_rng(0).normal(1, 1, (2, 3, *shape)).astype(np.float32)
    power = radial_power(images)
    chex.assert_shape(power, (2, 3, len(by_hand(images[0, 0]))))
    np.testing.assert_allclose(power[1, 2], by_hand(images[1, 2]), rtol=1e-4, atol=1e-7)
    mean_square = (images**2).sum(-1).mean((2, 3))
    np.testing.assert_allclose(power.sum(-1), mean_square, rtol=1e-5)


def test_a_wave_is_in_one_ring():
    wave = np.sin(2 * np.pi * 5 * np.arange(32) / 32)
    power = np.asarray(radial_power(np.broadcast_to(wave[:, None, None], (32, 32, 1))))
    np.testing.assert_allclose(power[5], 0.5, rtol=1e-5)  # the mean square of a sine
    assert np.delete(power, 5).max() < 1e-8


def test_blur_takes_the_upper_third():
    assert fine_wavenumbers(32, 40) == slice(11, 17)
    noise = np.random.default_rng(0).normal(size=(20, 32, 32, 1)).astype(np.float32)
    blurred = sum(np.roll(noise, i, (1, 2)[j]) for i in (-1, 0, 1) for j in (0, 1)) / 6
    fine = fine_wavenumbers(32, 32)
    power = [np.asarray(radial_power(tapered(v)))[:, fine].sum() for v in (noise, blurred)]
    assert power[1] < 0.3 * power[0]
    # A window fades a ramp's edges, whose step has power everywhere otherwise.
    ramp = np.broadcast_to(np.arange(32.0)[:, None, None], (32, 32, 1))
    assert radial_power(tapered(ramp))[fine].sum() < 1e-3 * radial_power(ramp)[fine].sum()
    np.testing.assert_allclose(tapered(ramp + 7), tapered(ramp), atol=1e-4)
