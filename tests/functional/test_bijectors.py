"""Bijectors against autodiff's Jacobians, NumPy and their own inverses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from gm_jax.functional import bijectors as b


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unit(*shape):
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


IMAGE = (3, 4, 6, 2)
STAYS = np.indices((4, 6)).sum(0)[None, ..., None] % 2 == 0  # a checkerboard, by hand

# name: forward, inverse, x
MAPS = {
    "affine": (
        lambda x: b.affine_forward(x, 0.5 * normal(*IMAGE), normal(*IMAGE, seed=1)),
        lambda y: b.affine_inverse(y, 0.5 * normal(*IMAGE), normal(*IMAGE, seed=1)),
        normal(*IMAGE, seed=2),
    ),
    "affine by channel": (
        lambda x: b.affine_forward(x, normal(2), normal(2, seed=1)),
        lambda y: b.affine_inverse(y, normal(2), normal(2, seed=1)),
        normal(*IMAGE, seed=2),
    ),
    "affine on a checkerboard": (
        lambda x: b.affine_forward(x, STAYS * normal(*IMAGE), STAYS * normal(*IMAGE, seed=1)),
        lambda y: b.affine_inverse(y, STAYS * normal(*IMAGE), STAYS * normal(*IMAGE, seed=1)),
        normal(*IMAGE, seed=2),
    ),
    "logit": (
        lambda x: b.logit_forward(x, 0.05),
        lambda y: b.logit_inverse(y, 0.05),
        unit(*IMAGE),
    ),
    "squeeze": (b.squeeze_forward, b.squeeze_inverse, normal(*IMAGE)),
    "flip": (b.flip_forward, b.flip_inverse, normal(*IMAGE)),
    "flip of vectors": (b.flip_forward, b.flip_inverse, normal(3, 5)),
}


@pytest.mark.parametrize("name", MAPS)
def test_the_log_determinant_is_that_of_the_jacobian_and_the_inverse_undoes(name):
    forward, inverse, x = MAPS[name]

    @jax.jit
    def everything(x):
        y, log_det = forward(x)
        # Examples are independent, so their Jacobians are the diagonal blocks of the batch's.
        jacobians = jax.jacrev(lambda x: forward(x)[0].reshape(len(x), -1).sum(0))(x)
        return log_det, *inverse(y), jacobians  # the last [D, B, ...]

    log_det, back, log_det_back, jacobians = everything(x)
    np.testing.assert_allclose(back, x, atol=1e-5)
    assert log_det.shape == (len(x),)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-4)
    d, n = x[0].size, len(x)
    _, expected = np.linalg.slogdet(np.reshape(jacobians, (d, n, d)).transpose(1, 0, 2))
    np.testing.assert_allclose(log_det, expected, atol=1e-4)


def test_the_logit_is_scipys():
    x = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    y, log_det = b.logit_forward(x, 1e-3)
    p = 1e-3 + (1 - 2e-3) * x.astype(np.float64)
    np.testing.assert_allclose(y, special.logit(p), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(log_det, np.log((1 - 2e-3) / (p * (1 - p))).sum(1), rtol=1e-4)


def test_squeeze_keeps_squares_together():
    x = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    y = np.asarray(b.squeeze_forward(jnp.asarray(x))[0])
    for row, column in np.ndindex(2, 2):
        square = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_array_equal(y[:, row, column], square.reshape(2, 12))
    with pytest.raises(ValueError, match="even height and width, not 3x4"):
        b.squeeze_forward(jnp.zeros((1, 3, 4, 1)))


def test_standardization_gives_mean_0_and_variance_1():
    x = 3.0 + 0.2 * normal(50, 4, 4, 3)
    y, _ = b.affine_forward(x, *b.standardization(x))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1.0, atol=1e-4)
    constant, log_det = b.affine_forward(jnp.ones((4, 2)), *b.standardization(jnp.ones((4, 2))))
    np.testing.assert_array_equal(constant, 0.0)
    np.testing.assert_array_equal(log_det, 0.0)


def test_checkerboards_are_complements():
    even, odd = b.checkerboard_mask(3, 4, 0), b.checkerboard_mask(3, 4, 1)
    assert even.shape == (3, 4, 1)
    np.testing.assert_array_equal(even[..., 0], np.indices((3, 4)).sum(0) % 2 == 0)
    np.testing.assert_array_equal(even + odd, 1.0)


def test_the_log_scale_is_bounded_and_straight_at_0():
    raw = jnp.array([-1e6, -1e-3, 0.0, 1e-3, 1e6])
    np.testing.assert_allclose(
        b.bounded_log_scale(raw, 2.0), [-2.0, -1e-3, 0.0, 1e-3, 2.0], rtol=1e-5
    )
