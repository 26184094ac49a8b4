"""From features to a frame: the last known one, moved along, and what is new on top of it."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.functional.warping import backward_warp, flow_displacement
from gm_jax.nets.conv import Conv

HeadName = Literal["persistence", "blend", "frame"]

_FASTEST = 0.5  # of the image's side, per time scale
_NEW_AT_FIRST = -3.0  # logit: 5 %


class ForecastHead(nn.Module):
    """Features, the last known frame and the time since then, to a frame.

    One convolution, of zeros at first, gives all that is learned for every pixel. With
    τ = t / time_scale:

      persistence   y = last(x + τ v) + (1 - e^-τ) r
      blend         y = (1 - m) last(x + τ v) + m sigmoid(n)
      frame         y = sigmoid(n)

    v is the velocity (pixels per time scale, looked up backwards), r what appears or goes, m the
    share of what is new, n the new content. Before any training `persistence` gives the last frame
    to the bit, whatever the time and the data, and it nears it as the time nears 0; its v is at
    most half the image's side, so that features unlike those of training fling no pixels about.
    `blend` is nearly persistence at first. Frames moved by a learned flow: Patraucean et al. 2016
    (arXiv:1511.06309); the mask: Finn et al. 2016 (arXiv:1605.07157).

    Attributes:
      channels: C of the frames.
      kind: one of the three.
      flow_steps: in which v is followed; see `flow_displacement`.
      dtype: the convolution computes in.
    """

    channels: int
    kind: HeadName
    flow_steps: int
    dtype: Any

    @nn.compact
    def __call__(self, h: jax.Array, last: jax.Array, tau: jax.Array) -> jax.Array:
        """[B, H, W, F], [B, H, W, C] and [B] -> float32 [B, H, W, C].

        On [0, 1], but for `persistence`, whose r may lead beyond.
        """
        num_outputs = self.channels + {"persistence": 2, "blend": 3, "frame": 0}[self.kind]
        outputs = Conv(num_outputs, (3, 3), kernel_init=nn.initializers.zeros, dtype=self.dtype)(
            h
        ).astype(jnp.float32)
        new = outputs[..., : self.channels]
        if self.kind == "frame":
            return jax.nn.sigmoid(new)
        velocity = outputs[..., self.channels : self.channels + 2]
        if self.kind == "persistence":
            fastest = _FASTEST * jnp.array(last.shape[1:3], jnp.float32).reshape(1, 1, 1, 2)
            velocity = fastest * jnp.tanh(velocity / fastest)
        moved = backward_warp(last, flow_displacement(velocity, tau, self.flow_steps))
        if self.kind == "persistence":
            return moved - jnp.expm1(-tau)[:, None, None, None] * new
        share = jax.nn.sigmoid(outputs[..., -1:] + _NEW_AT_FIRST)
        return (1.0 - share) * moved + share * jax.nn.sigmoid(new)
