"""Strips of known and forecast frames."""

import numpy as np
import pytest

from gm_jax.viz.strips import forecast_strip, spoken_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0"),
        (4, "+4 s"),
        (0.5, "+0.5 s"),
        (-1800, "-30 min"),
        (5400, "+1 h 30 min"),
        (7200.0, "+2 h"),
        (3599, "+1 h"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert spoken_time(seconds) == text


@pytest.mark.parametrize("channels", [1, 3])
def test_every_frame_is_in_the_strip(channels):
    rng = np.random.default_rng(0)
    context, came, forecast = (
        rng.integers(0, 4, (n, 5, 6, channels)).astype(np.uint8) for n in (3, 2, 2)
    )
    rows = [("came", came), ("forecast", forecast)]
    strip = forecast_strip(context, np.array([-2, -1, 0]), np.array([1, 2]), rows, 4)
    assert strip.dtype == np.uint8
    assert strip.shape[-1] == channels
    windows = np.lib.stride_tricks.sliding_window_view(strip, (5 * 16, 6 * 16, channels))
    windows = windows[:, :, 0]
    for frame in (*context, *came, *forecast):
        pixels = (frame * 85).repeat(16, 0).repeat(16, 1)
        corner = (windows[:, :, 0, 0] == pixels[0, 0]).all(-1)
        assert any((windows[i, j] == pixels).all() for i, j in np.argwhere(corner))


def test_rows_that_do_not_fit_the_times_are_refused():
    frames = np.zeros((3, 4, 4, 1), np.uint8)
    with pytest.raises(ValueError, match="forecast has 3 frames for 2 times"):
        forecast_strip(frames, np.arange(3), np.arange(2), [("forecast", frames)], 256)
