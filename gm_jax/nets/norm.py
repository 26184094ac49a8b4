"""Normalization by name or in groups."""

import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

NormName = Literal["none", "batch", "layer"]
FrameNormName = Literal["group", "batch"]

_MOMENTUM = 0.9  # of the running statistics that sampling uses
_EPSILON = 1e-5
_MOST_GROUPS, _LEAST_CHANNELS_A_GROUP = 32, 4


class Norm(nn.Module):
    """[B, ..., C] -> [B, ..., C].

    "batch": over the batch and the places, for each channel (Ioffe & Szegedy 2015); running
    statistics where not `train`. "layer": over all values of an image, with a gain and a bias for
    each channel (Ba et al. 2016), so that no image sees another one.
    """

    kind: NormName
    init_scale: float | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if self.kind == "batch":
            return batch_norm(train, self.dtype, self.init_scale)(x)
        if self.kind == "layer":
            axes = tuple(range(1, x.ndim))
            return nn.LayerNorm(
                epsilon=_EPSILON, dtype=self.dtype, reduction_axes=axes, feature_axes=-1
            )(x)
        return x


def batch_norm(train: bool, dtype: Any, init_scale: float | None = None) -> nn.BatchNorm:
    """Ioffe & Szegedy 2015, arXiv:1502.03167; running statistics where not `train`."""
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=_MOMENTUM,
        epsilon=_EPSILON,
        dtype=dtype,
        scale_init=gain_init(init_scale),
    )


def frame_norm(name: FrameNormName, channels: int, train: bool, dtype: Any) -> nn.Module:
    """Of maps of frames: in groups, each frame by itself, or over all frames of the batch."""
    return batch_norm(train, dtype) if name == "batch" else group_norm(channels, dtype)


def group_norm(channels: int, dtype: Any = jnp.float32) -> nn.GroupNorm:
    """Wu & He 2018, arXiv:1803.08494: 32 groups, or fewer, equal ones of 4 channels at least."""
    most = max(channels // _LEAST_CHANNELS_A_GROUP, 1)
    return nn.GroupNorm(math.gcd(_MOST_GROUPS, most, channels), dtype=dtype)


def gain_init(scale: float | None) -> Any:
    """N(1, scale²), or 1 where there is no scale."""
    if scale is None:
        return nn.initializers.ones

    def init(key: jax.Array, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
        return 1.0 + scale * jax.random.normal(key, shape, dtype)

    return init
