"""Observation models: what a decoder's outputs say about an image of discrete levels.

Each maps outputs [B, H, W, C * P] (P numbers for each value of the image) to log p(image | outputs)
in nats, [B], summed over all values. `kind` says what the number is: "bound" where minus the ELBO
built on it bounds -log P(levels); "surrogate" where it does not.
"""

import dataclasses
from typing import Literal, Protocol

import jax
import jax.numpy as jnp

from gm_jax.functional.dequantization import from_unit, to_unit, uniform_dequantize
from gm_jax.functional.likelihoods import (
    bernoulli_log_prob,
    categorical_log_prob,
    discretized_logistic_log_prob,
    gaussian_log_prob,
    sum_per_example,
)
from gm_jax.metrics.flattening import flat

Array = jax.Array
ObservationName = Literal[
    "bernoulli", "gaussian", "gaussian_learned", "categorical", "discretized_logistic"
]

# Bounds on learned log scales: e^-7 of the range is far below one 8-bit level, so that no
# density or mass can run away from the data's resolution.
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 3.0


class Observation(Protocol):
    """log p(image | outputs), its mean and its samples."""

    def num_params(self, num_levels: int) -> int:
        """P, numbers per value of the image."""
        ...

    def kind(self, num_levels: int) -> Literal["bound", "surrogate"]:
        """Whether log_prob is about the discrete levels."""
        ...

    def log_prob(self, key: Array, outputs: Array, levels: Array, num_levels: int) -> Array:
        """Nats, [B], for outputs [B, H, W, C * P] and levels [B, H, W, C]."""
        ...

    def mean(self, outputs: Array, num_levels: int) -> Array:
        """Mean level on the scale of `to_unit`, level / (L - 1): in [0, 1], [B, H, W, C]."""
        ...

    def sample(self, key: Array, outputs: Array, num_levels: int) -> Array:
        """uint8 levels [B, H, W, C]."""
        ...


def _split(outputs: Array, num_params: int) -> Array:
    """[B, H, W, C * P] -> float32 [B, H, W, C, P]."""
    shape = (*outputs.shape[:-1], outputs.shape[-1] // num_params, num_params)
    return outputs.astype(jnp.float32).reshape(shape)


@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """A coin for each value.

    With more than two levels it is the cross-entropy of the grey value: a surrogate, no
    probability of the levels.
    """

    def num_params(self, num_levels: int) -> int:
        return 1

    def kind(self, num_levels: int) -> Literal["bound", "surrogate"]:
        return "bound" if num_levels == 2 else "surrogate"

    def log_prob(self, key: Array, outputs: Array, levels: Array, num_levels: int) -> Array:
        logits, x = flat(outputs.astype(jnp.float32)), flat(to_unit(levels, num_levels))  # [B, P]
        return bernoulli_log_prob(logits, x).sum(1)

    def mean(self, outputs: Array, num_levels: int) -> Array:
        return jax.nn.sigmoid(outputs.astype(jnp.float32))

    def sample(self, key: Array, outputs: Array, num_levels: int) -> Array:
        bits = jax.random.bernoulli(key, self.mean(outputs, num_levels))
        return (bits * (num_levels - 1)).astype(jnp.uint8)


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """N(mean, scale) on [0, 1] for uniformly dequantized levels; scale None: learned per value.

    log p is turned into a bound on log P(levels) by the width of a level, 1 / num_levels.
    """

    scale: float | None

    def num_params(self, num_levels: int) -> int:
        return 1 if self.scale is not None else 2

    def kind(self, num_levels: int) -> Literal["bound", "surrogate"]:
        return "bound"

    def _mean_and_log_scale(self, outputs: Array, num_levels: int) -> tuple[Array, Array]:
        params = _split(outputs, self.num_params(num_levels))  # [B, H, W, C, P]
        mean = params[..., 0]
        if self.scale is not None:
            return mean, jnp.full_like(mean, jnp.log(self.scale))
        return mean, jnp.clip(params[..., 1], MIN_LOG_SCALE, MAX_LOG_SCALE)

    def log_prob(self, key: Array, outputs: Array, levels: Array, num_levels: int) -> Array:
        x = uniform_dequantize(key, levels, num_levels)  # [B, H, W, C] in [0, 1)
        mean, log_scale = self._mean_and_log_scale(outputs, num_levels)
        log_prob = gaussian_log_prob(flat(x), flat(mean), flat(log_scale))  # [B, P]
        return (log_prob - jnp.log(num_levels)).sum(1)

    def mean(self, outputs: Array, num_levels: int) -> Array:
        # The density's mean lies among bins of width 1 / L, and level k in the middle of its own.
        mean = self._mean_and_log_scale(outputs, num_levels)[0]
        return jnp.clip((mean * num_levels - 0.5) / (num_levels - 1), 0.0, 1.0)

    def sample(self, key: Array, outputs: Array, num_levels: int) -> Array:
        mean, log_scale = self._mean_and_log_scale(outputs, num_levels)
        x = mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape)
        return jnp.clip(jnp.floor(x * num_levels), 0, num_levels - 1).astype(jnp.uint8)


@dataclasses.dataclass(frozen=True)
class Categorical:
    """Logits over the levels of each value."""

    def num_params(self, num_levels: int) -> int:
        return num_levels

    def kind(self, num_levels: int) -> Literal["bound", "surrogate"]:
        return "bound"

    def log_prob(self, key: Array, outputs: Array, levels: Array, num_levels: int) -> Array:
        return sum_per_example(categorical_log_prob(_split(outputs, num_levels), levels))

    def mean(self, outputs: Array, num_levels: int) -> Array:
        probs = jax.nn.softmax(_split(outputs, num_levels))  # [B, H, W, C, L]
        return probs @ jnp.linspace(0.0, 1.0, num_levels)

    def sample(self, key: Array, outputs: Array, num_levels: int) -> Array:
        return jax.random.categorical(key, _split(outputs, num_levels)).astype(jnp.uint8)


@dataclasses.dataclass(frozen=True)
class DiscretizedLogistic:
    """Mass of a logistic in the bin of each level (Kingma et al. 2016; Salimans et al. 2017).

    The mean lives on [-1, 1]; the edge levels take the tails.
    """

    def num_params(self, num_levels: int) -> int:
        return 2

    def kind(self, num_levels: int) -> Literal["bound", "surrogate"]:
        return "bound"

    def _mean_and_log_scale(self, outputs: Array) -> tuple[Array, Array]:
        params = _split(outputs, 2)  # [B, H, W, C, 2]
        return params[..., 0], jnp.clip(params[..., 1], MIN_LOG_SCALE, MAX_LOG_SCALE)

    def log_prob(self, key: Array, outputs: Array, levels: Array, num_levels: int) -> Array:
        mean, log_scale = self._mean_and_log_scale(outputs)
        rows = (flat(levels), flat(mean), flat(log_scale))  # [B, P]
        return discretized_logistic_log_prob(*rows, num_levels).sum(1)

    def mean(self, outputs: Array, num_levels: int) -> Array:
        # The location runs far below -1 where a value is always 0: the edge bin takes the tail.
        return jnp.clip((self._mean_and_log_scale(outputs)[0] + 1.0) / 2.0, 0.0, 1.0)

    def sample(self, key: Array, outputs: Array, num_levels: int) -> Array:
        mean, log_scale = self._mean_and_log_scale(outputs)
        x = mean + jnp.exp(log_scale) * jax.random.logistic(key, mean.shape)
        return from_unit((x + 1.0) / 2.0, num_levels)


def observation(name: ObservationName, scale: float) -> Observation:
    """The observation model of this name; `scale` is the fixed Gaussian's, in units of [0, 1]."""
    match name:
        case "bernoulli":
            return Bernoulli()
        case "gaussian":
            return Gaussian(scale)
        case "gaussian_learned":
            return Gaussian(None)
        case "categorical":
            return Categorical()
        case "discretized_logistic":
            return DiscretizedLogistic()
