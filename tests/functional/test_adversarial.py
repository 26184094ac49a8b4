"""Adversarial losses against NumPy, and the penalty against autodiff of one image at a time."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.adversarial import discriminator_loss, generator_loss, gradient_penalty

REAL = np.array([-3.0, -0.2, 0.4, 30.0])
FAKE = np.array([-40.0, 0.3, -1.2, 2.0])


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


EXPECTED = {
    "non_saturating": (
        -0.9 * log_sigmoid(REAL) - 0.1 * log_sigmoid(-REAL) - log_sigmoid(-FAKE),
        -log_sigmoid(FAKE),
    ),
    "wgan_gp": (FAKE - REAL, -FAKE),
    "hinge": (np.maximum(0, 1 - REAL) + np.maximum(0, 1 + FAKE), -FAKE),
    "least_squares": (0.5 * (REAL - 0.9) ** 2 + 0.5 * FAKE**2, 0.5 * (FAKE - 1) ** 2),
}


@pytest.mark.parametrize("loss", EXPECTED)
def test_losses(loss):
    d, g = EXPECTED[loss]
    np.testing.assert_allclose(discriminator_loss(loss, REAL, FAKE, 0.9), d, rtol=1e-5)
    np.testing.assert_allclose(generator_loss(loss, FAKE), g, rtol=1e-5)


@pytest.mark.parametrize("loss", EXPECTED)
def test_gradients_stay_finite_where_a_player_is_sure(loss):
    extreme = jnp.array([-1e4, 1e4])

    def both(real, fake):
        return (discriminator_loss(loss, real, fake) + generator_loss(loss, fake)).sum()

    chex.assert_tree_all_finite(jax.grad(both, (0, 1))(extreme, -extreme))


def critic(x):
    """Not linear, each image by itself: [B, 3, 2, 1] -> [B]."""
    flat = x.reshape(len(x), -1)
    return jnp.sin(flat[:, 0] * flat[:, 1]) + (flat**3).sum(-1)


def test_penalty_is_autodiffs_for_each_image():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 5, 3, 2, 1)).astype(np.float32)
    key = jax.random.key(4)
    penalty = gradient_penalty(key, critic, real, fake)
    chex.assert_shape(penalty, (5,))
    epsilon = np.asarray(jax.random.uniform(key, (5, 1, 1, 1)))
    for i in range(5):
        between = epsilon[i] * real[i] + (1 - epsilon[i]) * fake[i]
        slope = jax.grad(lambda x: critic(x[None])[0])(jnp.asarray(between))
        expected = (np.linalg.norm(np.asarray(slope, np.float64)) - 1) ** 2
        np.testing.assert_allclose(penalty[i], expected, rtol=1e-5)
    assert len(np.unique(epsilon)) == 5  # drawn anew for each image


def test_penalty_of_a_linear_critic_is_its_closed_form():
    w = np.array([0.3, -0.4], np.float32)  # of norm ½: (½ - 1)² everywhere
    real, fake = np.ones((3, 2), np.float32), np.zeros((3, 2), np.float32)
    penalty = gradient_penalty(jax.random.key(0), lambda x: x @ w, real, fake)
    np.testing.assert_allclose(penalty, 0.25, rtol=1e-5)


def test_penalty_has_a_gradient_where_the_critic_is_flat():
    def mean_penalty(w):
        x = jnp.ones((2, 2))
        return gradient_penalty(jax.random.key(0), lambda x: x @ w, x, x).mean()

    chex.assert_tree_all_finite(jax.grad(mean_penalty)(jnp.zeros(2)))
