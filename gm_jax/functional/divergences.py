"""Kullback-Leibler divergences in nats, one for each dimension: the caller sums."""

import jax
import jax.numpy as jnp

from gm_jax.functional.dtypes import at_least_float32

Array = jax.Array


def kl_diag_gaussian_standard(mean: Array, log_scale: Array) -> Array:
    """KL(N(mean, exp(log_scale)^2) || N(0, 1)), the regularizer of a VAE.

      1/2 (sigma^2 + mean^2 - 1) - log sigma        (Kingma & Welling 2014, arXiv:1312.6114)

    Args:
      mean: [...].
      log_scale: natural logarithm of the standard deviation (half the log-variance), [...].

    Returns:
      Nats, at least 0, [...].
    """
    return kl_diag_gaussians(mean, log_scale, jnp.zeros(()), jnp.zeros(()))


def kl_diag_gaussians(
    mean_q: Array, log_scale_q: Array, mean_p: Array, log_scale_p: Array
) -> Array:
    """KL(q || p) of Gaussians, q = N(mean_q, exp(log_scale_q)^2) and p alike.

      1/2 (r^2 - 1) - log r + 1/2 ((mean_q - mean_p) / sigma_p)^2        with r = sigma_q / sigma_p

    Args:
      mean_q: [...].
      log_scale_q: natural logarithm of the standard deviation, [...].
      mean_p: [...].
      log_scale_p: [...].

    Returns:
      Nats, at least 0, [...].
    """
    mean_q, log_scale_q = at_least_float32(mean_q), at_least_float32(log_scale_q)
    mean_p, log_scale_p = at_least_float32(mean_p), at_least_float32(log_scale_p)
    log_ratio = log_scale_q - log_scale_p
    # expm1 keeps the digits where the two scales are close, and the sum at or above 0.
    spread = 0.5 * jnp.expm1(2 * log_ratio) - log_ratio
    return spread + 0.5 * ((mean_q - mean_p) * jnp.exp(-log_scale_p)) ** 2
