"""Sufficient statistics of Gaussians: weighted counts, means, and scatters about the means.

The scatter is taken about the mean of its own points, and statistics are put together by the
formula of Chan, Golub & LeVeque (1979), so that no digits cancel: raw second moments in float32
would lose a variance that is small beside the square of the mean (a pixel that is always white).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class GaussianStatistics(NamedTuple):
    """Of any number of Gaussians, [...].

    Attributes:
      counts: sums of weights, [...].
      mean: weighted means, [..., D].
      scatter: sums of w (x - mean)(x - mean)^T, [..., D, D], or their diagonals, [..., D].
    """

    counts: Array
    mean: Array
    scatter: Array

    @property
    def diagonal(self) -> bool:
        """Whether the scatter is a diagonal only."""
        return self.scatter.ndim == self.mean.ndim


def empty_statistics(mean: Array, diagonal: bool) -> GaussianStatistics:
    """Of no points at all: merged with others, they leave no trace but means [..., D] of nothing.

    Where nothing is merged in, `mean` stays as it is.
    """
    num_dims = mean.shape[-1]
    shape = mean.shape if diagonal else (*mean.shape, num_dims)
    return GaussianStatistics(
        jnp.zeros(mean.shape[:-1], mean.dtype), mean, jnp.zeros(shape, mean.dtype)
    )


def weighted_statistics(x: Array, weights: Array, diagonal: bool) -> GaussianStatistics:
    """Of points x [B, D] that belong to each of K Gaussians with weights [B, K] at least 0."""
    count = weights.sum(0)  # [K]
    mean = weights.T @ x / _or_one(count)[:, None]  # [K, D]

    def scatter(k: Array) -> Array:
        residual = x - mean[k][None]  # [B, D]
        weighted = weights[:, k][:, None] * residual
        return (weighted * residual).sum(0) if diagonal else weighted.T @ residual

    return GaussianStatistics(count, mean, jax.lax.map(scatter, jnp.arange(weights.shape[1])))


def merge_statistics(a: GaussianStatistics, b: GaussianStatistics) -> GaussianStatistics:
    """Of the points of both, Gaussian by Gaussian.

    n = n_a + n_b,   m = m_a + (n_b / n) d,   S = S_a + S_b + (n_a n_b / n) d d^T,   d = m_b - m_a
    """
    count = a.counts + b.counts
    share = b.counts / _or_one(count)
    difference = b.mean - a.mean
    between = _square(difference, a.diagonal) * _over(a.counts * share, a.scatter)
    return GaussianStatistics(
        count, a.mean + share[..., None] * difference, a.scatter + b.scatter + between
    )


def scale_statistics(statistics: GaussianStatistics, factor: Array | float) -> GaussianStatistics:
    """With all weights multiplied by a factor."""
    return statistics._replace(
        counts=factor * statistics.counts, scatter=factor * statistics.scatter
    )


def split_heaviest(statistics: GaussianStatistics, empty: Array) -> GaussianStatistics:
    """Gives a Gaussian of few points half of those of the heaviest one: of K, [K] to [K].

    The heaviest is cut across its axis w of the widest coordinate j, w = S_j / sqrt(S_jj) of its
    covariance S: the halves' means lie at m +- c w, and their covariances are S - c^2 w w^T with
    c^2 = 1/2, so that together they have the heaviest's mean and covariance. The few points that
    the Gaussian had count with the halves, but neither move nor widen them.

    Args:
      statistics: of K Gaussians, at least 2.
      empty: index of the one of few points.
    """
    count, mean, scatter = statistics
    heavy = jnp.argmax(jnp.where(jnp.arange(count.shape[0]) == empty, -1.0, count))
    covariance = scatter[heavy] / _or_one(count[heavy])
    diagonal = covariance if statistics.diagonal else jnp.diagonal(covariance)
    widest = diagonal.argmax()
    deviation = jnp.sqrt(jnp.where(diagonal[widest] > 0, diagonal[widest], 1.0))
    column = diagonal * (jnp.arange(diagonal.shape[0]) == widest)
    w = (column if statistics.diagonal else covariance[:, widest]) / deviation
    half = 0.5 * (count[heavy] + count[empty])
    narrowed = half * (covariance - 0.5 * _square(w, statistics.diagonal))
    pair = jnp.stack([heavy, empty])
    step = jnp.sqrt(0.5) * jnp.stack([-w, w])
    return GaussianStatistics(
        count.at[pair].set(half),
        mean.at[pair].set(mean[heavy][None] + step),
        scatter.at[pair].set(narrowed[None]),
    )


def pooled_mean_and_variance(statistics: GaussianStatistics) -> tuple[Array, Array]:
    """Mean and variance, [D] each, of the points of all Gaussians together."""
    num_dims = statistics.mean.shape[-1]
    count = statistics.counts.reshape(-1)  # [M]
    means = statistics.mean.reshape(-1, num_dims)
    within = statistics.scatter
    if not statistics.diagonal:
        within = jnp.diagonal(within, axis1=-2, axis2=-1)
    weights = (count / _or_one(count.sum()))[:, None]
    mean = (weights * means).sum(0)
    between = (weights * (means - mean[None]) ** 2).sum(0)
    return mean, within.reshape(-1, num_dims).sum(0) / _or_one(count.sum()) + between


def _or_one(count: Array) -> Array:
    """A divisor: 1 where there is nothing to divide."""
    return jnp.where(count > 0, count, 1.0)


def _square(x: Array, diagonal: bool) -> Array:
    """x x^T of x [..., D], or its diagonal."""
    return x**2 if diagonal else x[..., :, None] * x[..., None, :]


def _over(count: Array, scatter: Array) -> Array:
    """Counts [...] with as many axes as the scatter."""
    return count.reshape(count.shape + (1,) * (scatter.ndim - count.ndim))
