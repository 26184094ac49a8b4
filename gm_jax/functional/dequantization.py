"""Between integer levels 0 .. L - 1 and real numbers, and what dequantization does to bits/dim.

Two scales that are not each other's: `to_unit` puts the levels on a lattice that touches both ends
of [0, 1], for networks and errors; `uniform_dequantize` fills [0, 1) with bins of width 1 / L, for
densities.
"""

import math

import jax
import jax.numpy as jnp

from gm_jax.functional.likelihoods import nats_to_bits_per_dim

Array = jax.Array

# The largest noise that keeps level 255 + noise below 256 in float32.
_MAX_NOISE = 1.0 - 2.0**-16


def to_unit(levels: Array, num_levels: int) -> Array:
    """levels / (L - 1): integers [...] to float32 in [0, 1], [...]."""
    return jnp.asarray(levels).astype(jnp.float32) / (num_levels - 1)


def from_unit(x: Array, num_levels: int) -> Array:
    """The nearest level: x [...], clipped to [0, 1], to uint8 [...]; the inverse of `to_unit`."""
    scaled = jnp.round(jnp.asarray(x).astype(jnp.float32) * (num_levels - 1))
    return jnp.clip(scaled, 0, num_levels - 1).astype(jnp.uint8)


def to_symmetric(levels: Array, num_levels: int) -> Array:
    """2 levels / (L - 1) - 1: integers [...] to float32 in [-1, 1], [...]."""
    return 2.0 * to_unit(levels, num_levels) - 1.0


def from_symmetric(x: Array, num_levels: int) -> Array:
    """The nearest level: x [...], clipped to [-1, 1], to uint8; the inverse of `to_symmetric`."""
    return from_unit((jnp.asarray(x).astype(jnp.float32) + 1.0) / 2.0, num_levels)


def uniform_dequantize(key: Array, levels: Array, num_levels: int) -> Array:
    """(levels + u) / L with u ~ U[0, 1) (Uria et al. 2013, arXiv:1306.0186).

    Args:
      key: of the noise.
      levels: integers 0 .. L - 1, [...].
      num_levels: L, at most 256.

    Returns:
      float32 in [0, 1), [...].
    """
    noise = jax.random.uniform(key, jnp.shape(levels), jnp.float32)
    # Else 255 + 0.999999 rounds to 256: one value in 130,000 would leave its bin, and [0, 1).
    return bin_positions(levels, jnp.minimum(noise, _MAX_NOISE), num_levels)


def bin_positions(levels: Array, noise: Array | float, num_levels: int) -> Array:
    """(levels + noise) / L: where in the bins, of width 1 / L, the noise in [0, 1) lies.

    Args:
      levels: integers 0 .. L - 1, [...].
      noise: in [0, 1), [...] or one number.
      num_levels: L, at most 256.

    Returns:
      float32 in [0, 1), [...].
    """
    return (jnp.asarray(levels).astype(jnp.float32) + noise) / num_levels


def sigmoid_noise(w: Array) -> tuple[Array, Array]:
    """Noise for `bin_positions` from real numbers: u = c sigmoid(w), and log |du/dw| for each.

    c is 1 - 2^-16, the largest noise that keeps the top bin. As a factor it keeps the map smooth
    and its slope exact, so that bounds built on it stay bounds; clipping would not.

    Args:
      w: [...].

    Returns:
      u in [0, c], [...], and nats, [...].
    """
    log_slope = jax.nn.log_sigmoid(w) + jax.nn.log_sigmoid(-w) + math.log(_MAX_NOISE)
    return _MAX_NOISE * jax.nn.sigmoid(w), log_slope


def quantize(x: Array, num_levels: int) -> Array:
    """The bin that x lies in: floor(x L), clipped, as uint8 [...]; undoes `uniform_dequantize`."""
    bins = jnp.floor(jnp.asarray(x).astype(jnp.float32) * num_levels)
    return jnp.clip(bins, 0, num_levels - 1).astype(jnp.uint8)


def dequantized_bits_per_dim(log_density: Array, num_dims: int, num_levels: int) -> Array:
    """A bound on the bits/dim of discrete levels, from a density of dequantized values.

    By Jensen's inequality -log P(levels) is at most -E_u[log p(x)] + D log L, the last term being
    the volume of a bin (Theis et al. 2016, arXiv:1511.01844). Exact where p is constant in a bin.

    Args:
      log_density: log p(x) of x = uniform_dequantize(key, levels, L), nats, [B].
      num_dims: D, the number of values in one example.
      num_levels: L.

    Returns:
      Bits/dim, [B].
    """
    return nats_to_bits_per_dim(-log_density, num_dims) + math.log2(num_levels)
