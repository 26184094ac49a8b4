"""Blocks of large-kernel attention over maps whose channels hold several frames.

A large kernel is split in a depthwise 5x5, a depthwise 7x7 of dilation 3, which together reach over
23 places, and a 1x1 (Guo et al. 2022, arXiv:2202.09741). What comes out weighs the maps by place:

  gSTA   σ(g) ∘ f, both of the large kernel (SimVPv2: Tan et al. 2022, arXiv:2211.12509)
  TAU    SE(x) ∘ f ∘ x, f of the large kernel, SE of the means over places, so that static and
         dynamic attention are apart (Tan et al. 2023, arXiv:2206.12126)
"""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.depthwise_convolution import depthwise_convolution
from gm_jax.nets.initializers import Initializer, initial
from gm_jax.nets.norm import FrameNormName, frame_norm

BlockName = Literal["gsta", "tau"]

_SCALE_AT_FIRST = 1e-2  # of what a block adds
_SQUEEZE = 16  # channels of the squeeze: a sixteenth


class DepthwiseConv(nn.Module):
    """Each channel with a k x k kernel of its own, and a bias: [B, H, W, C] -> [B, H, W, C]."""

    size: int
    dilation: int
    initializer: Initializer
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        start = initial(self.initializer, self.size**2)
        kernel = self.param("kernel", start["kernel_init"], (self.size, self.size, 1, channels))
        bias = self.param("bias", start["bias_init"], (channels,))
        y = depthwise_convolution(
            x.astype(self.dtype), kernel[:, :, 0].astype(self.dtype), self.dilation
        )
        return y + bias.astype(self.dtype).reshape(1, 1, 1, -1)


class LargeKernelAttention(nn.Module):
    """x [B, H, W, C] weighed by place and channel: [B, H, W, C]."""

    kind: BlockName
    initializer: Initializer
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]

        def dense(features: int, h: jax.Array) -> jax.Array:
            return _dense(features, self.initializer, self.dtype, h)

        h = DepthwiseConv(5, 1, self.initializer, self.dtype)(x)
        h = DepthwiseConv(7, 3, self.initializer, self.dtype)(h)
        if self.kind == "gsta":
            f, g = jnp.split(dense(2 * channels, h), 2, axis=-1)
            return jax.nn.sigmoid(g) * f
        static = dense(channels, h)
        squeezed = nn.relu(dense(max(channels // _SQUEEZE, 1), x.mean((1, 2), keepdims=True)))
        return jax.nn.sigmoid(dense(channels, squeezed)) * static * x


class TranslatorBlock(nn.Module):
    """Attention, then two 1x1 with a depthwise 3x3 between, each added to what is there.

    Attributes:
      kind: of the attention.
      mlp_ratio: channels between the two 1x1, in units of C.
      norm: before each part.
      initializer: how the kernels start.
      dtype: it computes in.
    """

    kind: BlockName
    mlp_ratio: int
    norm: FrameNormName
    initializer: Initializer
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        channels = x.shape[-1]

        def dense(features: int, h: jax.Array) -> jax.Array:
            return _dense(features, self.initializer, self.dtype, h)

        def scaled(name: str, h: jax.Array) -> jax.Array:
            scale = self.param(name, nn.initializers.constant(_SCALE_AT_FIRST), (channels,))
            return scale.astype(self.dtype).reshape(1, 1, 1, -1) * h

        shortcut = frame_norm(self.norm, channels, train, self.dtype)(x)
        h = _gelu(dense(channels, shortcut))
        h = LargeKernelAttention(self.kind, self.initializer, self.dtype)(h)
        x = x + scaled("attention_scale", dense(channels, h) + shortcut)

        h = frame_norm(self.norm, channels, train, self.dtype)(x)
        h = dense(self.mlp_ratio * channels, h)
        h = _gelu(DepthwiseConv(3, 1, self.initializer, self.dtype)(h))
        return x + scaled("mlp_scale", dense(channels, h))


def _dense(features: int, initializer: Initializer, dtype: Any, x: jax.Array) -> jax.Array:
    """A 1x1 convolution; in a compact module."""
    y: jax.Array = nn.Dense(features, dtype=dtype, **initial(initializer, x.shape[-1]))(x)
    return y


def _gelu(x: jax.Array) -> jax.Array:
    return nn.gelu(x, approximate=False)
