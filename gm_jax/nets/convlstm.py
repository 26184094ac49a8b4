"""Convolutional LSTM (Shi et al. 2015, arXiv:1506.04214, eq. 3).

  i = σ(W_xi * x + W_hi * h + w_ci ∘ c + b_i)
  f = σ(W_xf * x + W_hf * h + w_cf ∘ c + b_f)
  c' = f ∘ c + i ∘ tanh(W_xc * x + W_hc * h + b_c)
  o = σ(W_xo * x + W_ho * h + w_co ∘ c' + b_o)
  h' = o ∘ tanh(c')

* is a convolution and ∘ a product value by value; the peepholes w_c. are optional.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.convolution import conv_general_dilated
from gm_jax.nets.conv import Conv
from gm_jax.nets.initializers import Initializer, initial

Array = jax.Array

_LAYOUT = ("NHWC", "HWIO", "NHWC")


class ConvLSTMLayer(nn.Module):
    """One layer over a whole sequence, from states of 0: [B, T, H, W, C] -> [B, T, H, W, F].

    What does not depend on the state, W_x * x + b, is one convolution of all frames at once; only
    W_h * h is left to the loop over time.

    Attributes:
      features: F, of h and c.
      kernel_size: side of both kernels.
      peepholes: whether the gates see c; their weights are for each place, so the size is fixed.
      unroll: writes the loop out, which compiles longer; the numbers are the same.
      dtype: it computes in; c stays float32, since it adds up over time.
      initializer: how the kernels start. "torch": kernels and biases as of one convolution of x and
        h together; else biases are 0, and 1 at the forget gate.
    """

    features: int
    kernel_size: int = 3
    peepholes: bool = False
    unroll: bool = False
    dtype: Any = jnp.float32
    initializer: Initializer = "lecun_normal"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, _, height, width, channels = x.shape
        size, num_gates = (self.kernel_size, self.kernel_size), 4 * self.features
        start = initial(self.initializer, self.kernel_size**2 * (channels + self.features))
        if self.initializer != "torch":
            start["bias_init"] = _forget_little(self.features)
        from_input = Conv(num_gates, size, dtype=self.dtype, name="input", **start)(
            x
        )  # [B, T, H, W, 4 F]: i, f, o and the candidate
        recurrent = self.param("recurrent", start["kernel_init"], (*size, self.features, num_gates))
        kernel = recurrent.astype(self.dtype)
        peep: tuple[Array, ...] | None = None
        if self.peepholes:
            shape = (3, 1, height, width, self.features)
            peep = tuple(self.param("peepholes", nn.initializers.zeros, shape))

        def step(state: tuple[Array, Array], drive: Array) -> tuple[tuple[Array, Array], Array]:
            h, c = state
            from_state = conv_general_dilated(h, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)
            h, c = cell((drive + from_state).astype(jnp.float32), c, peep)
            h = h.astype(self.dtype)
            return (h, c), h

        c = jnp.zeros((batch, height, width, self.features), jnp.float32)
        _, hs = jax.lax.scan(
            step, (c.astype(self.dtype), c), jnp.swapaxes(from_input, 0, 1), unroll=self.unroll
        )
        return jnp.swapaxes(hs, 0, 1)


class StackedConvLSTM(nn.Module):
    """Layers on top of each other: [B, T, H, W, C] -> [B, T, H, W, F of the last]."""

    features: Sequence[int]
    kernel_size: int = 3
    peepholes: bool = False
    unroll: bool = False
    dtype: Any = jnp.float32
    initializer: Initializer = "lecun_normal"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for i, width in enumerate(self.features):
            name = f"ConvLSTM_{i}"  # its parameters' name in every checkpoint
            x = ConvLSTMLayer(
                width,
                self.kernel_size,
                self.peepholes,
                self.unroll,
                self.dtype,
                self.initializer,
                name=name,
            )(x)
        return x


def cell(gates: Array, c: Array, peepholes: Sequence[Array] | None) -> tuple[Array, Array]:
    """One step in time.

    Args:
      gates: W_x * x + W_h * h + b of i, f, o and the candidate, [B, H, W, 4 F].
      c: [B, H, W, F].
      peepholes: w_ci, w_cf and w_co, each [1, H, W, F], or None.

    Returns:
      h' and c', each [B, H, W, F].
    """
    i, f, o, candidate = jnp.split(gates, 4, axis=-1)
    if peepholes is not None:
        i, f = i + peepholes[0] * c, f + peepholes[1] * c
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(candidate)
    if peepholes is not None:
        o = o + peepholes[2] * c
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _forget_little(features: int) -> Any:
    """Biases of 0, but 1 at the forget gate (Jozefowicz et al. 2015): memory lasts at first."""

    def init(key: Array, shape: Any, dtype: Any = jnp.float32) -> Array:
        return jnp.zeros(shape, dtype).at[features : 2 * features].set(1.0)

    return init
