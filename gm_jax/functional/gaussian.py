"""Gaussians of many dimensions: densities and draws, by the Cholesky factor of the covariance.

A `scale` is what standard normal noise is multiplied with: the lower Cholesky factor L of a
covariance L L^T, [D, D], or the standard deviations of a diagonal one, [D].
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from gm_jax.functional.dtypes import at_least_float32

Array = jax.Array
CovarianceName = Literal["full", "diagonal", "tied"]
"""A covariance of its own for each Gaussian, its diagonal only, or one covariance for all."""


def multivariate_gaussian_log_prob(x: Array, mean: Array, scale: Array) -> Array:
    """log N(x; mean, scale scale^T): a density, which may be positive.

      -1/2 |scale^-1 (x - mean)|^2 - log |det scale| - D/2 log(2 pi)

    Args:
      x: [B, D].
      mean: [D].
      scale: lower triangular [D, D], or standard deviations [D].

    Returns:
      Nats, [B].
    """
    residual = at_least_float32(x) - mean[None]  # [B, D]
    if scale.ndim == 1:
        standardized, log_det = residual / scale[None], jnp.log(scale).sum()
    else:
        standardized = solve_triangular(scale, residual.T, lower=True).T
        log_det = jnp.log(jnp.diagonal(scale)).sum()
    norm = 0.5 * mean.shape[-1] * math.log(2 * math.pi)
    return -0.5 * (standardized**2).sum(-1) - log_det - norm


def multivariate_gaussian_sample(noise: Array, mean: Array, scale: Array) -> Array:
    """mean + scale noise, [D], of standard normal noise [D]; a draw from the Gaussian."""
    return mean + (scale * noise if scale.ndim == 1 else scale @ noise)


def scale_of_covariance(covariance: Array, diagonal: bool) -> Array:
    """The `scale` of covariances [..., D, D], or of variances [..., D] if `diagonal`.

    NaN where a covariance is not positive definite.
    """
    if diagonal:
        return jnp.sqrt(covariance)
    return jax.lax.linalg.cholesky(covariance, symmetrize_input=False)
