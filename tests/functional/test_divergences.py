import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.integrate import quad

from gm_jax.functional.divergences import kl_diag_gaussian_standard, kl_diag_gaussians


def integrated(mean_q, log_scale_q, mean_p, log_scale_p):
    q = scipy.stats.norm(mean_q, np.exp(log_scale_q))
    p = scipy.stats.norm(mean_p, np.exp(log_scale_p))
    width = 12 * np.exp(log_scale_q)
    value, _ = quad(
        lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)),
        mean_q - width,
        mean_q + width,
        points=[mean_q],
    )
    return value


@pytest.mark.parametrize(
    "params",
    [(0.0, 0.0, 0.0, 0.0), (1.5, -1.0, 0.0, 0.0), (-2.0, 0.7, 0.3, -0.4), (0.1, -2.0, 0.2, 1.0)],
)
def test_kl_equals_the_integral(params):
    want = integrated(*params)
    got = kl_diag_gaussians(*(jnp.float32(p) for p in params))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    if params[2:] == (0.0, 0.0):
        standard = kl_diag_gaussian_standard(jnp.float32(params[0]), jnp.float32(params[1]))
        np.testing.assert_allclose(standard, want, rtol=1e-5, atol=1e-6)


def test_kl_is_per_dimension_and_never_negative():
    rng = np.random.default_rng(0)
    mean, log_scale = rng.normal(0, 1e-3, (2, 100, 8)).astype(np.float32)
    kl = kl_diag_gaussian_standard(mean, log_scale)
    chex.assert_shape(kl, (100, 8))
    assert (kl >= -1e-9).all()


def test_kl_of_a_distribution_from_itself_is_zero_with_zero_gradient():
    mean, log_scale = jnp.array([0.3, -4.0]), jnp.array([-9.0, 5.0])
    value, grad = jax.value_and_grad(
        lambda m, s: kl_diag_gaussians(m, s, mean, log_scale).sum(), (0, 1)
    )(mean, log_scale)
    chex.assert_trees_all_close((value, grad), (0.0, (np.zeros(2), np.zeros(2))), atol=1e-6)


def test_nearly_equal_scales_keep_their_digits():
    # KL = s^2 for a small log scale s: the plain formula 1/2 (e^2s - 1) - s gives 0 in float32.
    got = kl_diag_gaussian_standard(jnp.zeros(()), jnp.float32(1e-3))
    np.testing.assert_allclose(got, 1e-6, rtol=0.2)


def test_bfloat16_is_upcast():
    kl = kl_diag_gaussian_standard(jnp.ones(2, jnp.bfloat16), jnp.ones(2, jnp.bfloat16))
    chex.assert_type(kl, jnp.float32)
    np.testing.assert_allclose(kl, (np.exp(2) + 1 - 1) / 2 - 1, rtol=1e-6)
