"""Sines and cosines that tell where between two levels a noisy value lies."""

import jax
import jax.numpy as jnp


def level_waves(x: jax.Array, num_levels: int, octaves: int) -> jax.Array:
    """Waves whose period is the distance of one level, of two, of four, ...

    A network that sees x alone hardly tells levels apart that lie as near as 2 / 255, and so can't
    take off the last, least noise (Kingma et al. 2021, arXiv:2107.00630, appendix C; their waves
    are of powers of two, ours of the levels' distance).

    Args:
      x: levels on [-1, 1] with noise, [..., C].
      num_levels: L; their distance is 2 / (L - 1).
      octaves: K, how many periods.

    Returns:
      [..., 2 K C]: K C sines, the shortest period first, then K C cosines. At each level the sines
      of the shortest period are 0, and its cosines 1.
    """
    in_levels = (x + 1.0) * (0.5 * (num_levels - 1))
    phases = [2.0 * jnp.pi * in_levels / 2**k for k in range(octaves)]
    waves = [jnp.sin(p) for p in phases] + [jnp.cos(p) for p in phases]
    return jnp.concatenate(waves, axis=-1)
