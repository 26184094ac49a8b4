import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from gm_jax.functional.gaussian import (
    multivariate_gaussian_log_prob,
    multivariate_gaussian_sample,
    scale_of_covariance,
)

RNG = np.random.default_rng(0)
FACTOR = RNG.normal(size=(3, 3))
COVARIANCE = FACTOR @ FACTOR.T + 0.1 * np.eye(3)
MEAN = np.array([1.0, -2.0, 0.5])
X = RNG.normal(0, 2, (20, 3))


def test_log_prob_is_scipys():
    for covariance, diagonal in ((COVARIANCE, False), (np.diag(COVARIANCE), True)):
        scale = scale_of_covariance(jnp.asarray(covariance, jnp.float32), diagonal)
        log_prob = jax.jit(multivariate_gaussian_log_prob)(X.astype(np.float32), MEAN, scale)
        full = np.diag(covariance) if diagonal else covariance
        expected = stats.multivariate_normal(MEAN, full).logpdf(X)
        chex.assert_shape(log_prob, (20,))
        np.testing.assert_allclose(log_prob, expected, rtol=1e-4, atol=1e-4)


def test_samples_have_the_moments():
    noise = jax.random.normal(jax.random.key(0), (20_000, 3))
    for covariance, diagonal in ((COVARIANCE, False), (np.diag(COVARIANCE), True)):
        scale = scale_of_covariance(jnp.asarray(covariance, jnp.float32), diagonal)
        x = jax.vmap(multivariate_gaussian_sample, (0, None, None))(noise, MEAN, scale)
        full = np.diag(covariance) if diagonal else covariance
        error = np.sqrt(np.diag(full) / len(x))
        np.testing.assert_array_less(np.abs(x.mean(0) - MEAN), 5 * error)
        np.testing.assert_allclose(np.cov(x.T), full, atol=0.1 * full.max())


def test_a_singular_covariance_is_nan():
    singular = jnp.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isnan(scale_of_covariance(singular, diagonal=False)).any()
