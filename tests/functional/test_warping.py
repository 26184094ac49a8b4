"""Warped images against scipy's interpolation."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import map_coordinates

from gm_jax.functional.warping import backward_warp, flow_displacement

RNG = np.random.default_rng(0)
IMAGE = RNG.random((2, 6, 7, 3)).astype(np.float32)


def test_it_is_scipys_bilinear_interpolation():
    displacement = 3 * RNG.normal(size=(2, 6, 7, 2)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(7), indexing="ij"))
    warped = backward_warp(IMAGE, displacement)
    for b in range(2):
        places = grid + np.moveaxis(displacement[b], -1, 0)
        for c in range(3):
            expected = map_coordinates(IMAGE[b, :, :, c], places, order=1, mode="nearest")
            np.testing.assert_allclose(warped[b, :, :, c], expected, atol=1e-5)


def test_no_displacement_changes_no_bit_and_whole_pixels_shift():
    np.testing.assert_array_equal(backward_warp(IMAGE, jnp.zeros((2, 6, 7, 2))), IMAGE)
    shift = jnp.broadcast_to(jnp.array([1.0, -2.0]), (2, 6, 7, 2))
    np.testing.assert_array_equal(backward_warp(IMAGE, shift)[:, :5, 2:], IMAGE[:, 1:, :5])


def test_the_gradient_of_a_displacement_is_the_slope():
    ramp = jnp.broadcast_to(3.0 * jnp.arange(6.0)[None, :, None, None], (1, 6, 7, 1))
    gradient = jax.grad(lambda d: backward_warp(ramp, d).sum())(jnp.full((1, 6, 7, 2), 0.5))
    np.testing.assert_allclose(gradient[0, :5, :6, 0], 3.0, rtol=1e-6)
    np.testing.assert_allclose(gradient[..., 1], 0.0, atol=1e-6)


def test_a_flow_of_many_steps_follows_a_rotation():
    rows, columns = np.meshgrid(np.arange(33.0) - 16, np.arange(33.0) - 16, indexing="ij")
    velocity = jnp.asarray(np.stack([-columns, rows], -1)[None], jnp.float32)  # 1 radian a τ
    angle = 0.7
    exact = np.stack(
        [
            np.cos(angle) * rows - np.sin(angle) * columns - rows,
            np.sin(angle) * rows + np.cos(angle) * columns - columns,
        ],
        -1,
    )
    inside = np.hypot(rows, columns) < 12  # no way of theirs leaves the image
    error = {
        k: np.abs(flow_displacement(velocity, jnp.array([angle]), k)[0] - exact)[inside].max()
        for k in (1, 3, 100)
    }
    assert error[100] < 0.05
    assert error[3] < 0.5 * error[1]
    np.testing.assert_array_equal(flow_displacement(0 * velocity, jnp.ones(1), 3), 0 * velocity)
