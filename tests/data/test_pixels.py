import numpy as np
import pytest
from PIL import Image

from gm_jax.data.pixels import MODES, middle, to_mode, to_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)


@pytest.mark.parametrize("channels", MODES)
def test_channels_as_wanted(channels):
    pixels = to_pixels(to_mode(Image.fromarray(PIXELS), channels))
    assert pixels.shape == (5, 8, channels)
    if channels == 1:  # ITU-R 601, as Pillow rounds it
        np.testing.assert_allclose(pixels[..., 0], PIXELS @ [0.299, 0.587, 0.114], atol=1)
    else:
        np.testing.assert_array_equal(pixels[..., :3], PIXELS)


def test_the_square_in_the_middle():
    cut = to_pixels(middle(Image.fromarray(PIXELS), 3, 3))
    np.testing.assert_array_equal(cut, PIXELS[1:4, 2:5])
