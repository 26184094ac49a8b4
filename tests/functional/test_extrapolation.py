"""Persistence and extrapolation on images whose motion is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import shift as scipy_shift

from gm_jax.functional.extrapolation import (
    linear_extrapolation,
    persistence,
    phase_correlation,
)


def blob(row, column, size=32, width=3.0):
    """A lopsided cloud at a place, [size, size, 1]."""
    y, x = np.mgrid[:size, :size]
    near = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    tail = np.exp(-((y - row - 3) ** 2 + (x - column - 4) ** 2) / (2 * 1.5**2))
    return (near + 0.5 * tail)[..., None].astype(np.float32)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-4, 1), (1.5, 0.25), (-0.4, -2.7)])
def test_the_shift_between_two_images_is_found(shift):
    a, b = blob(15, 16), blob(15 + shift[0], 16 + shift[1])
    found = jax.jit(phase_correlation)(a[None], b[None])
    np.testing.assert_allclose(found[0], shift, atol=0.15)


def test_an_image_without_content_did_not_move():
    blank = jnp.full((1, 8, 9, 2), 0.3)
    np.testing.assert_array_equal(phase_correlation(blank, blank), [[0.0, 0.0]])


def test_the_last_frame_moves_on_at_the_same_velocity_at_any_times():
    seconds = np.array([-700.0, -200.0, 0.0])
    velocity = np.array([[0.004, -0.002], [-0.003, 0.005]])  # pixels a second
    start = np.array([14.0, 16.0])
    context = np.stack(
        [[blob(*(start + v * t)) for t in seconds] for v in velocity]
    )  # [B, N, H, W, 1]
    times = np.array([[250.0, 900.0], [500.0, 600.0]], np.float32)
    known = np.broadcast_to(seconds.astype(np.float32), (2, 3))
    out = jax.jit(linear_extrapolation)(context, known, times)
    still = persistence(context, times)
    for b, m in np.ndindex(2, 2):
        truth = blob(*(start + velocity[b] * times[b, m]))
        error, error_still = (np.abs(v[b, m] - truth).max() for v in (out, still))
        assert error < 0.1
        assert error < 0.4 * error_still
        # The same as scipy, moved by the true shift.
        moved = scipy_shift(
            context[b, -1, :, :, 0], velocity[b] * times[b, m], order=1, mode="nearest"
        )
        np.testing.assert_allclose(out[b, m, :, :, 0], moved, atol=0.1)


def test_persistence_is_the_last_frame():
    context = np.random.default_rng(0).random((2, 3, 4, 5, 1)).astype(np.float32)
    times = np.ones((2, 4), np.float32)
    out = persistence(context, times)
    np.testing.assert_array_equal(out, context[:, -1:].repeat(4, 1))
    one = linear_extrapolation(context[:, -1:], jnp.zeros((2, 1)), times)  # has no velocity
    np.testing.assert_array_equal(one, out)
