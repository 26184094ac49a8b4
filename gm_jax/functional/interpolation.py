"""Paths between vectors: straight, and over the sphere."""

import jax
import jax.numpy as jnp

from gm_jax.functional.dtypes import at_least_float32

Array = jax.Array


def lerp(a: Array, b: Array, t: Array) -> Array:
    """Points (1 - t) a + t b of straight lines.

    Args:
      a: where the lines begin, [..., K].
      b: where they end, [..., K].
      t: positions, [T], 0 at a and 1 at b.

    Returns:
      [..., T, K].
    """
    a, b, t = _aligned(a, b, t)
    return (1 - t) * a + t * b


def slerp(a: Array, b: Array, t: Array) -> Array:
    """Points of paths that turn from a to b at constant speed while the norm changes evenly.

      |p(t)| = (1 - t) |a| + t |b|,   angle(a, p(t)) = t angle(a, b)

    On a sphere this is the shortest way (Shoemake 1985). Draws of N(0, I) in many dimensions lie
    close to a sphere, which a straight line leaves: its middle is too short to be a likely draw
    (White 2016, arXiv:1609.04468).

    Between opposite vectors all ways round are equally long: one is taken. A zero vector has no
    direction, nor has one dimension a way round: there the line is straight.

    Args:
      a: where the paths begin, [..., K].
      b: where they end, [..., K].
      t: positions, [T], 0 at a and 1 at b.

    Returns:
      [..., T, K].
    """
    if a.shape[-1] == 1:
        return lerp(a, b, t)
    a, b, t = _aligned(a, b, t)
    norm_a, norm_b = _norm(a), _norm(b)  # [..., 1, 1]
    u, v = _direction(a), _direction(b)
    u, v = jnp.where(norm_a > 0, u, v), jnp.where(norm_b > 0, v, u)
    angle = 2 * jnp.arctan2(_norm(u - v), _norm(u + v))  # keeps its digits near 0 and pi
    across = _across(u, v)
    turned = jnp.cos(t * angle) * u + jnp.sin(t * angle) * across
    return ((1 - t) * norm_a + t * norm_b) * turned


def _aligned(a: Array, b: Array, t: Array) -> tuple[Array, Array, Array]:
    """a and b as [..., 1, K], t as [..., T, 1]."""
    a, b, t = at_least_float32(a), at_least_float32(b), at_least_float32(t)
    return a[..., None, :], b[..., None, :], t.reshape((1,) * (a.ndim - 1) + (-1, 1))


def _norm(x: Array) -> Array:
    return jnp.linalg.norm(x, axis=-1, keepdims=True)


def _direction(x: Array) -> Array:
    """x with norm 1; zero stays zero."""
    norm = _norm(x)
    return x / jnp.where(norm > 0, norm, 1)


def _across(u: Array, v: Array) -> Array:
    """The unit vector at right angles to u on v's side; any one where v is u or -u.

    What is left of v without its part along u may be nothing but rounding. Taken out twice, that
    shows: where the second time takes more than half, there was nothing but rounding.
    """
    rest = _direction(_without(v, u))
    again = _without(rest, u)
    # The axis that u leans on least is surely not along u.
    axis = jax.nn.one_hot(jnp.abs(u).argmin(-1), u.shape[-1], dtype=u.dtype)
    other = _direction(_without(axis, u))
    return jnp.where(_norm(again) > 0.5, _direction(again), other)


def _without(x: Array, u: Array) -> Array:
    """x without its part along the unit vector u."""
    return x - (x * u).sum(-1, keepdims=True) * u
