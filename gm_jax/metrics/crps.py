"""Continuous ranked probability score: of an ensemble, what the absolute error is of one number."""

import jax
import jax.numpy as jnp

Array = jax.Array


def crps(members: Array, target: Array) -> Array:
    """E|X - y| - E|X - X'| / 2 of each value, from R members that are draws of X.

    The fair estimator: pairs are of two different members, so that it is unbiased for the score of
    the distribution that members are drawn from, and ensembles of any size compare (Ferro 2014,
    "Fair scores for ensemble forecasts", Q. J. R. Meteorol. Soc. 140; Gneiting & Raftery 2007). It
    may be below 0. Of one member it is the absolute error.

    Args:
      members: [R, ...].
      target: [...], what came.

    Returns:
      In the units of the values, float32 [...].

    Raises:
      ValueError: where a member and the target differ in shape.
    """
    if members.shape[1:] != target.shape:
        raise ValueError(f"members of {members.shape[1:]} and a target of {target.shape} differ")
    x = jnp.sort(jnp.asarray(members, jnp.float32), axis=0)
    error = jnp.abs(x - jnp.asarray(target, jnp.float32)[None]).mean(0)
    num = len(x)
    if num == 1:
        return error
    # sum_{r < s} (x_s - x_r) of sorted values: the r-th, from 0, is added r times and subtracted
    # R - 1 - r times.
    weights = (2 * jnp.arange(num) - num + 1).astype(jnp.float32)
    spread = jnp.tensordot(weights, x, axes=1) / (num * (num - 1))  # E|X - X'| / 2
    return error - spread
