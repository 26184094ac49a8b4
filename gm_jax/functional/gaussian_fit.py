"""From sufficient statistics to means and scales: the M-step that all Gaussian families share."""

import jax
import jax.numpy as jnp

from gm_jax.functional.gaussian import CovarianceName, scale_of_covariance
from gm_jax.functional.gaussian_statistics import GaussianStatistics, pooled_mean_and_variance

Array = jax.Array

# Of the prior, where none is asked for: nothing beside any example, but no share is divided by 0.
_LEAST_PRIOR = 1e-7


def shares(count: Array) -> Array:
    """count / sum over the last axis, [..., K]; never 0, and equal where all counts are."""
    total = count.sum(-1, keepdims=True)
    share = count / jnp.where(total > 0, total, 1.0)
    return (share + _LEAST_PRIOR) / (share + _LEAST_PRIOR).sum(-1, keepdims=True)


def fit_scales(
    statistics: GaussianStatistics,
    covariance: CovarianceName,
    variance_floor: float,
    shrinkage: float,
    own_prior: bool = False,
) -> Array:
    """Scales of K Gaussians that share a class, for each class.

      Sigma_k = (pi_k S_k + lambda T) / (pi_k + lambda) + floor I

    with pi_k the share of the examples (of its class) that are the Gaussian's, S_k their covariance
    and T the diagonal matrix of the variances of all examples, of the class or of all classes: the
    mode under a conjugate prior that weighs as much as the share lambda of the class's examples
    (Fraley & Raftery 2007, "Bayesian regularization for normal mixture estimation"). EM does not
    move T, as how a class's examples are shared out is nothing to their variances. A Gaussian of no
    examples gets T.

    Args:
      statistics: [C, K], with full scatters unless `covariance` is diagonal.
      covariance: "tied" ties the K Gaussians of a class to one covariance.
      variance_floor: added to all variances.
      shrinkage: lambda, at least 0.
      own_prior: whether T is of the class's examples; of a class without any it is of all.

    Returns:
      [C, K, D, D] (full), [C, 1, D, D] (tied) or [C, K, D] (diagonal); NaN where a covariance is
      not positive definite.
    """
    diagonal = statistics.diagonal
    count, scatter = statistics.counts, statistics.scatter
    total = count.sum(-1, keepdims=True)  # [C, 1]
    if covariance == "tied":
        count, scatter = total, scatter.sum(1, keepdims=True)
    per_class = jnp.where(total > 0, total, 1.0)
    prior = shrinkage + _LEAST_PRIOR
    weight = count / per_class + prior  # [C, K or 1]
    _, variance = pooled_mean_and_variance(statistics)  # [D]
    variance = jnp.broadcast_to(variance, (total.shape[0], variance.shape[0]))  # [C, D]
    if own_prior:
        _, own = jax.vmap(pooled_mean_and_variance)(statistics)
        variance = jnp.where(total > 0, own, variance)

    def spread(x: Array) -> Array:
        return x.reshape(x.shape + (1,) * (scatter.ndim - x.ndim))

    fitted = scatter / spread(per_class * weight)
    added = prior * variance[:, None] / weight[..., None] + variance_floor  # [C, K or 1, D]
    if diagonal:
        return scale_of_covariance(fitted + added, diagonal)
    eye = jnp.eye(variance.shape[-1], dtype=variance.dtype)
    return scale_of_covariance(fitted + added[..., None] * eye[None, None], diagonal)
