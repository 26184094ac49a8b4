"""Dense layers with an activation between them."""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "leaky_relu": lambda x: nn.leaky_relu(x, 0.2),
    "elu": nn.elu,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": nn.sigmoid,
}


class MLP(nn.Module):
    """[B, ...] -> [B, features[-1]]; the input is flattened.

    The activation follows every layer, the last one only where `activate_final`.
    """

    features: tuple[int, ...]
    activation: Activation = "relu"
    activate_final: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0], -1)  # [B, D]
        for i, width in enumerate(self.features):
            x = nn.Dense(width, dtype=self.dtype)(x)
            if i + 1 < len(self.features) or self.activate_final:
                x = ACTIVATIONS[self.activation](x)
        return x
