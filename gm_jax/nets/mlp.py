"""Dense layers with an activation between them."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.by_rows import by_rows
from gm_jax.nets.initializers import Initializer, initial

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]

_ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "elu": by_rows(nn.elu),
    "gelu": nn.gelu,
    "silu": by_rows(nn.silu),
    "tanh": by_rows(jnp.tanh),
    "sigmoid": by_rows(nn.sigmoid),
}


def activation_of(name: Activation, slope: float) -> Callable[[jax.Array], jax.Array]:
    """The function of that name; `slope` is that of leaky_relu below 0, and of no other."""
    if name == "leaky_relu":
        return functools.partial(nn.leaky_relu, negative_slope=slope)
    return _ACTIVATIONS[name]


class MLP(nn.Module):
    """[B, ...] -> [B, features[-1]]; the input is flattened.

    The activation follows every layer, the last one only where `activate_final`.
    """

    features: tuple[int, ...]
    activation: Activation = "relu"
    activate_final: bool = False
    slope: float = 0.2
    initializer: Initializer = "lecun_normal"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0], -1)  # [B, D]
        activation = activation_of(self.activation, self.slope)
        for i, width in enumerate(self.features):
            x = nn.Dense(width, dtype=self.dtype, **initial(self.initializer, x.shape[-1]))(x)
            if i + 1 < len(self.features) or self.activate_final:
                x = activation(x)
        return x
