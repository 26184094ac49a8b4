"""Log-probabilities of values given parameters, in nats, elementwise: the caller sums.

Everything is computed in float32 or better: bfloat16 parameters are upcast before any exponential.
Arguments broadcast against each other as in numpy.
"""

import math

import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import log_ndtr

from gm_jax.functional.dtypes import at_least_float32
from gm_jax.metrics.flattening import flat

Array = jax.Array


def bernoulli_log_prob(logits: Array, x: Array) -> Array:
    """log Bernoulli(x; sigmoid(logits)).

    For x between 0 and 1 this is minus the cross-entropy of a grey value: a surrogate loss, not the
    log-probability of anything (Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845).

    Args:
      logits: any real numbers, [...].
      x: values in [0, 1], [...].

    Returns:
      Nats, at most 0, [...].
    """
    return -optax.losses.sigmoid_binary_cross_entropy(at_least_float32(logits), at_least_float32(x))


def gaussian_log_prob(x: Array, mean: Array, log_scale: Array) -> Array:
    """log N(x; mean, exp(log_scale)^2): a density, which may be positive.

    Args:
      x: [...].
      mean: [...].
      log_scale: natural logarithm of the standard deviation, [...].

    Returns:
      Nats, [...].
    """
    x, mean, log_scale = at_least_float32(x), at_least_float32(mean), at_least_float32(log_scale)
    # Times exp(-log_scale), not divided by a variance: a square of the scale underflows sooner.
    standardized = (x - mean) * jnp.exp(-log_scale)
    return -0.5 * (standardized**2 + math.log(2 * math.pi)) - log_scale


def categorical_log_prob(logits: Array, levels: Array) -> Array:
    """log softmax(logits)[levels].

    Args:
      logits: [..., L].
      levels: integers 0 .. L - 1, [...]; any other gives NaN.

    Returns:
      Nats, at most 0, [...].
    """
    return -optax.losses.softmax_cross_entropy_with_integer_labels(
        at_least_float32(logits), jnp.asarray(levels).astype(jnp.int32)
    )


def discretized_logistic_log_prob(
    levels: Array, mean: Array, log_scale: Array, num_levels: int
) -> Array:
    """Log mass that a logistic puts on the bin of each level (`bin_edges`).

    As Kingma et al. 2016 (arXiv:1606.04934) and Salimans et al. 2017 (arXiv:1701.05517) have it:

      P(k) = sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)),   edges a > b

    The product form has no cancellation: no far tail gives log 0, and none needs the density
    instead of the mass.

    Args:
      levels: integers 0 .. L - 1, [...].
      mean: of the logistic, on the scale of [-1, 1], [...].
      log_scale: natural logarithm of its scale, within ±80, [...].
      num_levels: L, at least 2.

    Returns:
      Nats, at most 0, [...].

    Raises:
      ValueError: for fewer than 2 levels.
    """
    lower, upper, width = bin_edges(levels, mean, log_scale, num_levels)
    below_upper = jax.nn.log_sigmoid(upper)
    above_lower = jax.nn.log_sigmoid(-lower)
    inner = below_upper + above_lower + jax.nn.log1mexp(width)
    return _with_open_ends(levels, num_levels, below_upper, inner, above_lower)


def discretized_gaussian_log_prob(
    levels: Array, mean: Array, log_scale: Array, num_levels: int
) -> Array:
    """Log mass that N(mean, exp(log_scale)^2) puts on the bin of each level (`bin_edges`).

    The decoder of diffusion models (Ho et al. 2020, arXiv:2006.11239, equation 13):

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
    lower, upper, _ = bin_edges(levels, mean, log_scale, num_levels)
    # Mirrored where the bin lies above the mean: Φ has all its digits in the lower tail only.
    above = upper + lower > 0
    a, b = jnp.where(above, -lower, upper), jnp.where(above, -upper, lower)
    log_a = log_ndtr(a)
    inner = log_a + jax.nn.log1mexp(log_a - log_ndtr(b))
    return _with_open_ends(levels, num_levels, log_ndtr(upper), inner, log_ndtr(-lower))


def bin_edges(
    levels: Array, mean: Array, log_scale: Array, num_levels: int
) -> tuple[Array, Array, Array]:
    """Where the bin of each level lies, in units of the scale around the mean.

    Level k stands for 2 k / (L - 1) - 1 on [-1, 1] and owns what is nearer to it than to another
    level. Whoever sums the masses of the bins to 1 opens the first and the last one.

    Args:
      levels: integers 0 .. L - 1, [...].
      mean: on the scale of [-1, 1], [...].
      log_scale: natural logarithm of the scale, [...].
      num_levels: L, at least 2.

    Returns:
      Lower edges, upper edges, and their distance, free of rounding, [...] each.

    Raises:
      ValueError: for fewer than 2 levels.
    """
    if num_levels < 2:
        raise ValueError(f"discretized values need at least 2 levels, not {num_levels}")
    levels, mean, log_scale = map(at_least_float32, (levels, mean, log_scale))
    inverse_scale = jnp.exp(-log_scale)
    # The upper edge of one level is the same float as the lower edge of the next.
    upper = ((2 * levels + 1) / (num_levels - 1) - 1 - mean) * inverse_scale
    lower = ((2 * levels - 1) / (num_levels - 1) - 1 - mean) * inverse_scale
    return lower, upper, 2 / (num_levels - 1) * inverse_scale


def _with_open_ends(
    levels: Array, num_levels: int, first: Array, inner: Array, last: Array
) -> Array:
    """What the first level has, those between, and the last, where each level is one of them."""
    levels = jnp.asarray(levels)
    return jnp.where(levels <= 0, first, jnp.where(levels >= num_levels - 1, last, inner))


def sum_per_example(x: Array) -> Array:
    """Sum over all axes but the first: [B, ...] -> [B]."""
    return flat(x).sum(1)


def nats_to_bits_per_dim(nats: Array, num_dims: int) -> Array:
    """Nats of one example to bits per value: nats / (D log 2).

    Args:
      nats: of -log P(example), [B].
      num_dims: D, the number of values in one example.

    Returns:
      Bits/dim, [B].
    """
    return nats / (num_dims * math.log(2.0))


def importance_log_prob(log_weights: Array) -> Array:
    """The importance-weighted bound, log (1/K) sum_k w_k (Burda et al. 2016, arXiv:1509.00519).

    In expectation a lower bound of log p(x) that does not fall as K grows; at K = 1 the ELBO.

    Args:
      log_weights: log p(x, z_k) - log q(z_k | x) for z_k ~ q(z | x), nats, [K, B].

    Returns:
      Nats, [B].
    """
    return jax.nn.logsumexp(at_least_float32(log_weights), axis=0) - math.log(log_weights.shape[0])
