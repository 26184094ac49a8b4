"""A Gaussian's mass in the bins of integer levels: the decoder of diffusion models."""

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr

from gm_jax.functional.dtypes import at_least_float32

Array = jax.Array


def discretized_gaussian_log_prob(
    levels: Array, mean: Array, log_scale: Array, num_levels: int
) -> Array:
    """Log mass that N(mean, exp(log_scale)^2) puts on the bin of each level.

    Level k stands for 2 k / (L - 1) - 1 on [-1, 1] and owns what is nearer to it than to another
    level; the first and the last bin are open, so that the masses sum to 1 (Ho et al. 2020,
    arXiv:2006.11239, equation 13).

      log(Φ(a) - Φ(b)) = log Φ(a) + log(1 - Φ(b) / Φ(a)),   edges a > b

    Args:
      levels: integers 0 .. L - 1, [...].
      mean: on the scale of [-1, 1], [...].
      log_scale: natural logarithm of the standard deviation, [...].
      num_levels: L, at least 2.

    Returns:
      Nats, at most 0, [...].

    Raises:
      ValueError: for fewer than 2 levels.
    """
    if num_levels < 2:
        raise ValueError(f"a discretized Gaussian needs at least 2 levels, not {num_levels}")
    levels, mean, log_scale = map(at_least_float32, (levels, mean, log_scale))
    inverse_scale = jnp.exp(-log_scale)
    upper = ((2 * levels + 1) / (num_levels - 1) - 1 - mean) * inverse_scale
    lower = ((2 * levels - 1) / (num_levels - 1) - 1 - mean) * inverse_scale
    # Mirrored where the bin lies above the mean: Φ has all its digits in the lower tail only.
    above = upper + lower > 0
    a, b = jnp.where(above, -lower, upper), jnp.where(above, -upper, lower)
    log_a = log_ndtr(a)
    inner = log_a + jax.nn.log1mexp(log_a - log_ndtr(b))
    return jnp.where(
        levels <= 0,
        log_ndtr(upper),
        jnp.where(levels >= num_levels - 1, log_ndtr(-lower), inner),
    )
