"""What a model is told of a sequence beside its frames and times: the ocean, the wind."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import Extra

_STANDARD = {"wind_speed": (60.0, 30.0)}  # about the mean and the deviation of storms, knots


class ConditionEmbedding(nn.Module):
    """Conditions by name, [B, ...] each, to [B, features], to be added to an embedding of times.

    Linear in the standardized numbers, or in which of several values there is; 0 at first, so that
    a model starts as one that is told nothing.
    """

    conditions: tuple[Extra, ...]
    features: int

    @nn.compact
    def __call__(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        parts = []
        for extra in self.conditions:
            value = inputs[extra.name]
            if extra.num_values is not None:
                value = jax.nn.one_hot(value.astype(jnp.int32), extra.num_values)
            else:
                shift, scale = _STANDARD.get(extra.name, (0.0, 1.0))
                value = (value.astype(jnp.float32) - shift) / scale
            told = nn.Dense(
                self.features,
                use_bias=False,
                kernel_init=nn.initializers.zeros,
                name=extra.name,
            )
            parts.append(told(value.reshape(len(value), -1)))
        total: jax.Array = sum(parts[1:], parts[0])
        return total
