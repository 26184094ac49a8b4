"""Diffusion's maths against products of Gaussians, and the decoder against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gm_jax.functional.diffusion import (
    at_step,
    diffuse,
    epsilon_of_x0,
    posterior_mean,
    predicted_x0,
    prediction_target,
    prior_kl,
    step_kl,
)
from gm_jax.functional.likelihoods import discretized_gaussian_log_prob
from gm_jax.functional.noise_schedules import noise_schedule

SCHEDULE = noise_schedule("cosine", 20)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    x0, noise = rng.normal(size=(2, 19, 3)).astype(np.float32)
    t = np.arange(1, 20, dtype=np.int32)
    return jnp.asarray(x0), jnp.asarray(t), jnp.asarray(noise)


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_a_perfect_prediction_gives_x0_and_the_noise_back(drawn, prediction):
    x0, t, noise = drawn
    xt = diffuse(SCHEDULE, x0, t, noise)
    target = prediction_target(prediction, SCHEDULE, x0, t, noise)
    found = predicted_x0(prediction, SCHEDULE, target, xt, t)
    np.testing.assert_allclose(found, x0, atol=2e-5)
    np.testing.assert_allclose(epsilon_of_x0(SCHEDULE, x0, xt, t), noise, atol=2e-5)


def test_v_is_what_its_paper_says(drawn):
    """x_t = cos(φ) x_0 + sin(φ) ε, and v is its derivative by φ (Salimans & Ho 2022)."""
    x0, _, noise = (np.asarray(a, np.float64) for a in drawn)
    phi = np.arctan2(SCHEDULE.sigma, SCHEDULE.signal)[1:20, None]
    v = (
        np.cos(phi + 1e-6) * x0
        + np.sin(phi + 1e-6) * noise
        - np.cos(phi - 1e-6) * x0
        - np.sin(phi - 1e-6) * noise
    ) / 2e-6
    np.testing.assert_allclose(prediction_target("v", SCHEDULE, *drawn), v, atol=1e-5)


def test_kl_terms_are_those_of_the_gaussians(drawn):
    x0, t, noise = drawn
    x0_hat = x0 + 0.3 * noise[::-1]
    xt = diffuse(SCHEDULE, x0, t, noise)
    found = step_kl(SCHEDULE, x0, x0_hat, t)
    difference = np.asarray(posterior_mean(SCHEDULE, x0, xt, t), np.float64) - np.asarray(
        posterior_mean(SCHEDULE, x0_hat, xt, t), np.float64
    )
    variance = np.asarray(at_step(SCHEDULE.posterior_variance, t, x0), np.float64)
    expected = difference[1:] ** 2 / (2 * variance[1:])
    np.testing.assert_allclose(found[1:], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(found[0], 0.0)
    # KL(N(m, s^2) || N(0, 1)) by integration.
    grid = np.linspace(-9, 9, 20_001)
    mean, scale = SCHEDULE.signal[-1] * float(x0[0, 0]), SCHEDULE.sigma[-1]
    log_q = stats.norm(mean, scale).logpdf(grid)
    integral = np.trapezoid(np.exp(log_q) * (log_q - stats.norm.logpdf(grid)), grid)
    np.testing.assert_allclose(prior_kl(SCHEDULE, x0)[0, 0], integral, atol=2e-7)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_the_decoder_sums_to_one_and_is_scipys(num_levels):
    levels = np.arange(num_levels)
    for mean, log_scale in [(0.0, 0.0), (-1.0, -3.0), (0.31, -4.5), (1.7, -2.0), (-3.0, 1.0)]:
        found = discretized_gaussian_log_prob(levels, mean, log_scale, num_levels)
        np.testing.assert_allclose(np.exp(found).sum(), 1.0, atol=3e-5)
        edges = np.concatenate([[-np.inf], (2 * levels[:-1] + 1) / (num_levels - 1) - 1, [np.inf]])
        z = (edges - mean) / np.exp(log_scale)
        # From the tail that is the smaller one, in float64.
        below, above = np.diff(stats.norm.cdf(z)), -np.diff(stats.norm.sf(z))
        mass = np.where(z[:-1] > 0, above, below)
        likely = mass > 1e-30
        np.testing.assert_allclose(
            np.asarray(found)[likely], np.log(mass[likely]), rtol=2e-3, atol=2e-3
        )


def test_the_decoder_has_finite_gradients_far_away():
    def loss(mean, log_scale):
        return discretized_gaussian_log_prob(jnp.arange(256), mean, log_scale, 256).sum()

    for mean, log_scale in [(0.0, -7.0), (5.0, -7.0), (0.0, 3.0), (-40.0, -2.0)]:
        value, grads = jax.value_and_grad(loss, argnums=(0, 1))(mean, log_scale)
        assert np.isfinite([value, *grads]).all(), (mean, log_scale)
    with pytest.raises(ValueError, match="at least 2"):
        discretized_gaussian_log_prob(jnp.zeros(1), 0.0, 0.0, 1)
