"""Clusters: seeds by k-means++ (Arthur & Vassilvitskii 2007), moved by Lloyd's steps (1982)."""

import jax
import jax.numpy as jnp

Array = jax.Array


def kmeans_plus_plus(key: Array, x: Array, weights: Array, num: int) -> Array:
    """Chooses `num` points, each with a probability in proportion to its squared distance.

    The first is drawn by the weights alone, every other one by w d^2, where d is the distance to
    the nearest point chosen so far.

    Args:
      key: of the draws.
      x: points, [B, D].
      weights: at least 0, [B]; 0 leaves a point out. If all are 0, or no point lies apart from the
        chosen ones, the draw is by the weights, or among all points alike.
      num: K, at least 1.

    Returns:
      Some of the points, [K, D]; one may be there twice where there are fewer than K apart.
    """
    x, weights = jnp.asarray(x), jnp.asarray(weights)
    weights = jnp.where(weights.sum() > 0, weights, jnp.ones_like(weights))

    def choose(k: Array | int, mass: Array) -> Array:
        mass = jnp.where(mass.sum() > 0, mass, weights)
        return x[jax.random.categorical(jax.random.fold_in(key, k), jnp.log(mass))]

    def step(nearest: Array, k: Array) -> tuple[Array, Array]:
        seed = choose(k, weights * nearest)
        return jnp.minimum(nearest, _squared_distance(x, seed)), seed

    first = choose(0, weights)
    _, others = jax.lax.scan(step, _squared_distance(x, first), jnp.arange(1, num))
    return jnp.concatenate([first[None], others])


def kmeans(
    key: Array, x: Array, weights: Array, num: int, steps: int = 10, starts: int = 1
) -> tuple[Array, Array]:
    """Means of clusters: the best of several starts by k-means++, each moved by Lloyd's steps.

    A step gives every point to the nearest mean, and moves each mean to that of its points; one
    without points stays where it is. No step makes the cost larger.

    Args:
      key: of the draws.
      x: points, [B, D].
      weights: at least 0, [B], as in `kmeans_plus_plus`.
      num: K, at least 1.
      steps: of Lloyd, for each start; 0 leaves the seeds as they were drawn.
      starts: how many; that of the least cost is kept.

    Returns:
      Means [K, D], and their cost: the weighted mean of the squared distances to the nearest.
    """
    x, weights = jnp.asarray(x), jnp.asarray(weights)
    weights = jnp.where(weights.sum() > 0, weights, jnp.ones_like(weights))

    def run(key: Array) -> tuple[Array, Array]:
        seeds = kmeans_plus_plus(key, x, weights, num)
        means = jax.lax.fori_loop(0, steps, lambda _, means: _lloyd_step(x, weights, means), seeds)
        return means, (weights * _distances(x, means).min(0)).sum() / weights.sum()

    if starts == 1:
        return run(key)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(starts))
    means, cost = jax.lax.map(run, keys)
    best = cost.argmin()
    return means[best], cost[best]


def _lloyd_step(x: Array, weights: Array, means: Array) -> Array:
    nearest = _distances(x, means).argmin(0)  # [B]
    mine = weights[None] * (nearest[None] == jnp.arange(means.shape[0])[:, None])  # [K, B]
    count = mine.sum(1)[:, None]
    return jnp.where(count > 0, mine @ x / jnp.where(count > 0, count, 1.0), means)


def _distances(x: Array, means: Array) -> Array:
    """Squared, of points [B, D] to means [K, D]: [K, B]."""
    return jax.lax.map(lambda mean: _squared_distance(x, mean), means)


def _squared_distance(x: Array, point: Array) -> Array:
    return ((x - point[None]) ** 2).sum(-1)  # [B]
