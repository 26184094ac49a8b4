"""Initial values of kernels and biases, by name.

What a name stands for:

  lecun_normal   kernels N(0, 1 / fan_in), cut off at two standard deviations; biases 0. Flax's own.
  torch          kernels and biases U(-b, b) with b = 1 / √fan_in: PyTorch's default.
  glorot         kernels U(-b, b) with b = √(6 / (fan_in + fan_out)); biases 0 (Glorot & Bengio
                 2010). TensorFlow 1's and Keras's default.
  normal_002     kernels N(0, 0.02²); biases 0 (Radford et al. 2016, arXiv:1511.06434).
"""

import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

Initializer = Literal["lecun_normal", "torch", "glorot", "normal_002"]

_KERNELS = {
    "lecun_normal": nn.initializers.lecun_normal(),
    "glorot": nn.initializers.glorot_uniform(),
    "normal_002": nn.initializers.normal(0.02),
}


def initial(name: Initializer, fan_in: int) -> dict[str, Any]:
    """The arguments `kernel_init` and `bias_init` of a Linen layer.

    Args:
      name: as above.
      fan_in: inputs of each output, k k C of a convolution. PyTorch counts those of a transposed
        convolution by its outputs, k k C'. Only "torch" asks for it: a bias does not know it.
    """
    if name == "torch":
        both = symmetric_uniform(1.0 / math.sqrt(fan_in))
        return {"kernel_init": both, "bias_init": both}
    return {"kernel_init": _KERNELS[name], "bias_init": nn.initializers.zeros}


def last(name: Initializer, fan_in: int, zero: bool) -> dict[str, Any]:
    """As `initial`, or zeros: of a last layer whose outputs are to be 0 at first."""
    if zero:
        return {"kernel_init": nn.initializers.zeros, "bias_init": nn.initializers.zeros}
    return initial(name, fan_in)


def symmetric_uniform(bound: float) -> Any:
    """U(-bound, bound)."""

    def init(key: jax.Array, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
