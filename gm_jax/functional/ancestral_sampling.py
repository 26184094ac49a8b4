"""Three samplers of autoregressive models that give the same images for the same key.

  x_d = argmax_l (logits_d(x_1 .. x_{d-1})_l + g_dl),   g_dl ~ Gumbel(0, 1)

is a draw from softmax(logits_d). Once the noise is drawn, the image is a function of it, and
samplers differ in how they come to it:

  plain       the whole network for each position
  cached      activations are kept, so that a position costs one column of the network
  predictive  x <- argmax(logits(x) + g) for all positions at once, until nothing changes (fixed
              point iteration: Wiggers & Hoogeboom 2020, arXiv:2002.09928); n rounds make at least
              the first n positions right, so it ends after at most D rounds, in the same image

The noise of a position comes from the key and the position alone. What is left is rounding: the
samplers add up the same logits in another order, so an image could differ where two levels tie to
the last digits of a float32.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Logits = Callable[[Array], Array]
"""Levels int32 [B, D] to logits [B, D, L], those of a position by the positions before it."""


class Draws(NamedTuple):
    """What a position becomes, given its logits: a draw, or what is known of it.

    Attributes:
      key: of the noise.
      batch_size: B, images.
      num_dims: D, positions.
      given: levels, int32 [B, D]; None where nothing is known.
      known: where `given` is kept, bool [B, D]; None where nothing is.
    """

    key: Array
    batch_size: int
    num_dims: int
    given: Array | None = None
    known: Array | None = None

    @property
    def start(self) -> Array:
        """Levels to begin with, int32 [B, D]: 0 where nothing is known."""
        if self.given is None or self.known is None:
            return jnp.zeros((self.batch_size, self.num_dims), jnp.int32)
        return jnp.where(self.known, self.given, 0).astype(jnp.int32)

    def level(self, d: Array, logits: Array) -> Array:
        """Levels of position d, int32 [B], by its logits [B, L]."""
        noise = jax.random.gumbel(jax.random.fold_in(self.key, d), logits.shape)
        drawn = jnp.argmax(logits + noise, -1).astype(jnp.int32)
        if self.given is None or self.known is None:
            return drawn
        return jnp.where(self.known[:, d], self.given[:, d], drawn)

    def levels(self, logits: Array) -> Array:
        """Levels of all positions, int32 [B, D], by logits [B, D, L]."""
        positions = jnp.arange(self.num_dims)
        return jax.vmap(self.level, in_axes=(0, 1), out_axes=1)(positions, logits)


def sample_plain(logits_of: Logits, draws: Draws) -> Array:
    """Position by position, with the whole network for each: int32 [B, D]."""

    def position(d: Array, x: Array) -> Array:
        logits = lax.dynamic_index_in_dim(logits_of(x), d, 1, keepdims=False)
        return _placed(x, d, draws.level(d, logits))

    x: Array = lax.fori_loop(0, draws.num_dims, position, draws.start)
    return x


def sample_cached(
    begin_row: Callable[[Any, Array, Array], Any],
    logits_at: Callable[[Any, Array, Array], tuple[Array, Any]],
    cache: Any,
    draws: Draws,
    num_rows: int = 1,
) -> Array:
    """Position by position, with what is new in the network only.

    Args:
      begin_row: (cache, x, row) -> cache, before the first position of a row.
      logits_at: (cache, x, d) -> logits [B, L] of position d, cache; x holds all levels before d.
      cache: activations before the first position.
      draws: what becomes of logits.
      num_rows: rows of equal length that the positions are in.

    Returns:
      int32 [B, D].
    """
    length = draws.num_dims // num_rows

    def row(r: Array, carry: tuple[Array, Any]) -> tuple[Array, Any]:
        def position(i: Array, carry: tuple[Array, Any]) -> tuple[Array, Any]:
            x, cache = carry
            d = r * length + i
            logits, cache = logits_at(cache, x, d)
            return _placed(x, d, draws.level(d, logits)), cache

        x, cache = carry
        return lax.fori_loop(0, length, position, (x, begin_row(cache, x, r)))

    x: Array = lax.fori_loop(0, num_rows, row, (draws.start, cache))[0]
    return x


def sample_predictive(logits_of: Logits, draws: Draws) -> tuple[Array, Array]:
    """All positions at once, until nothing changes.

    Returns:
      int32 [B, D], and how often the network was called, at most D times.
    """

    def goes_on(carry: tuple[Array, Array, Array]) -> Array:
        _, changed, calls = carry
        return changed & (calls < draws.num_dims)

    def improve(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, _, calls = carry
        better = draws.levels(logits_of(x))
        return better, (better != x).any(), calls + 1

    x, _, calls = lax.while_loop(
        goes_on, improve, (draws.start, jnp.asarray(True), jnp.zeros((), jnp.int32))
    )
    return x, calls


def _placed(x: Array, d: Array, level: Array) -> Array:
    """x [B, D] with the levels [B] at position d."""
    # Not x.at[:, d].set, which scatters, and does not write in place.
    return lax.dynamic_update_index_in_dim(x, level, d, 1)
