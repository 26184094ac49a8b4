"""Real times, in seconds, as something that modulates the features of a map."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

_PERIODS = (2.0, 64.0)  # shortest and longest, in time scales
_NUM_PERIODS = 6


def time_features(seconds: jax.Array, time_scale: float) -> jax.Array:
    """τ = t / time_scale, sign(τ) log(1 + |τ|), and sines and cosines of τ at log-spaced periods.

    The first two say what order times are in, also beyond the longest ones of training. No
    period is shorter than two time scales, so that times between those of training are between
    them here too.

    Args:
      seconds: [...].
      time_scale: seconds, of the order of an interval between frames.

    Returns:
      float32 [..., 14].
    """
    tau = seconds.astype(jnp.float32)[..., None] / time_scale
    shortest, longest = _PERIODS
    powers = jnp.arange(_NUM_PERIODS) / (_NUM_PERIODS - 1)
    periods = shortest * (longest / shortest) ** powers
    angles = tau * (2 * math.pi / periods).reshape((1,) * (tau.ndim - 1) + (-1,))
    log = jnp.sign(tau) * jnp.log1p(jnp.abs(tau))
    return jnp.concatenate([tau, log, jnp.sin(angles), jnp.cos(angles)], -1)


class TimeEmbedding(nn.Module):
    """Several times that belong together, [..., K] in seconds, to [..., features].

    In float32 whatever the network computes in: to bfloat16, 60 and 60.1 minutes are one time.
    """

    features: int
    time_scale: float

    @nn.compact
    def __call__(self, seconds: jax.Array) -> jax.Array:
        told = time_features(seconds, self.time_scale)
        h = told.reshape(*told.shape[:-2], -1)
        h = nn.silu(nn.Dense(self.features)(h))
        return nn.silu(nn.Dense(self.features)(h))


class FiLM(nn.Module):
    """(1 + γ) x + β, with γ and β of each channel from an embedding; x itself at first.

    Feature-wise linear modulation (Perez et al. 2018, arXiv:1709.07871): x [..., H, W, C] by
    embedding [..., E].
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, embedding: jax.Array) -> jax.Array:
        told = nn.Dense(2 * x.shape[-1], kernel_init=nn.initializers.zeros, dtype=self.dtype)
        gamma, beta = jnp.split(told(embedding)[..., None, None, :], 2, axis=-1)
        return (1.0 + gamma) * x + beta
