"""Seeds for clusters: k-means++ (Arthur & Vassilvitskii 2007)."""

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


def _squared_distance(x: Array, point: Array) -> Array:
    return ((x - point[None]) ** 2).sum(-1)  # [B]
