"""From features to a frame: the last known one, moved along, and what is new on top of it."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.warping import backward_warp
from gm_jax.nets.conv import Conv

_NEW_AT_FIRST = -3.0  # logit: 5 %


class ForecastHead(nn.Module):
    """Features, the last known frame and the time since then, to a frame on [0, 1].

      y = (1 - m) last(x + τ v) + m sigmoid(n)

    A convolution gives the velocity v (pixels per time scale, looked up backwards), the share m
    of what is new, and the new content n, each for every pixel. With τ = t / time_scale before it
    the displacement grows with time by itself, and before any training the forecast is nearly
    persistence. Frames moved by a learned flow: Patraucean et al. 2016 (arXiv:1511.06309); the
    mask: Finn et al. 2016 (arXiv:1605.07157). Without `warp`: y = sigmoid(n).

    Attributes:
      channels: C of the frames.
      warp: whether the last frame is moved along.
      dtype: the convolution computes in.
    """

    channels: int
    warp: bool
    dtype: Any

    @nn.compact
    def __call__(self, h: jax.Array, last: jax.Array, tau: jax.Array) -> jax.Array:
        """[B, H, W, F], [B, H, W, C] and [B] -> float32 [B, H, W, C]."""
        num_outputs = self.channels + 3 * self.warp
        outputs = Conv(num_outputs, (3, 3), kernel_init=nn.initializers.zeros, dtype=self.dtype)(
            h
        ).astype(jnp.float32)
        new = jax.nn.sigmoid(outputs[..., : self.channels])
        if not self.warp:
            return new
        velocity = outputs[..., self.channels : self.channels + 2]
        share = jax.nn.sigmoid(outputs[..., -1:] + _NEW_AT_FIRST)
        moved = backward_warp(last, velocity * tau[:, None, None, None])
        return (1.0 - share) * moved + share * new
