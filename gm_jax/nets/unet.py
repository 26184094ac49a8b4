"""The U-Net of DDPM (Ho et al. 2020, arXiv:2006.11239, appendix B; Salimans et al. 2017).

Residual blocks that are told the step, halved and doubled maps with skips between maps of one
size, and self-attention on the maps that are small enough.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.errors import ConfigError, check_fraction, check_positive
from gm_jax.functional.made_gradient import gradient_made
from gm_jax.nets.attention import SelfAttention
from gm_jax.nets.conv import Conv, upsampling
from gm_jax.nets.denoisers import Denoiser, Shape, StepEmbedding
from gm_jax.nets.initializers import Initializer, initial, last
from gm_jax.nets.norm import group_norm


@dataclasses.dataclass(frozen=True)
class UNet(Denoiser):
    """A U-Net for images of any size; the defaults are those of DDPM on CIFAR-10."""

    channels: int = 128
    """Channels of the largest map, in units of which the others are given."""
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    """Channels of the maps, the largest map first; each is half as high and wide as the last."""
    num_blocks: int = 2
    """Residual blocks of each map on the way down (one more on the way up)."""
    attention: tuple[int, ...] = (16,)
    """Heights of the maps with self-attention."""
    middle_attention: bool | None = None
    """Whether the middle, between the way down and the way up, has it (None: where any map has)."""
    num_heads: int = 1
    """Of each attention."""
    dropout: float = 0.1
    """Probability of dropping a value, within each residual block."""
    initializer: Initializer | None = None
    """How the weights start, but those of attention (None: by Glorot's rule, and by LeCun's in the
    step's embedding)."""
    zero_last: bool = True
    """Whether the last layers, of the network and of each residual block, are zeros at first."""

    def __post_init__(self) -> None:
        check_positive(self, "channels", "multipliers", "num_blocks", "num_heads")
        check_fraction(self, "dropout")
        for m in self.multipliers:
            if self.channels * m % self.num_heads:
                raise ConfigError(
                    f"UNet.num_heads {self.num_heads} does not divide {self.channels * m} channels"
                )

    def module(
        self, shape: Shape, num_outputs: int, num_classes: int | None, dtype: Any
    ) -> nn.Module:
        return UNetNet(self, num_outputs, num_classes, dtype)

    def quick(self) -> "UNet":
        return dataclasses.replace(
            self,
            channels=4 * self.num_heads,
            multipliers=(1,),
            num_blocks=1,
            attention=(),
            middle_attention=self.middle_attention or bool(self.attention),
        )


class UNetNet(nn.Module):
    """The module of a UNet."""

    config: UNet
    num_outputs: int
    num_classes: int | None
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, t: jax.Array, label: Any, train: bool) -> jax.Array:
        config, dtype = self.config, self.dtype
        widths = [config.channels * m for m in config.multipliers]
        initializer = config.initializer or "glorot"
        embedding = StepEmbedding(
            config.channels,
            4 * config.channels,
            self.num_classes,
            dtype,
            config.initializer or "lecun_normal",
        )(t, label)  # [B, E]

        def conv(h: jax.Array, width: int, strides: int = 1, **kwargs: Any) -> jax.Array:
            start = initial(initializer, 9 * h.shape[-1])
            return _conv(width, strides, dtype, start | kwargs, h)

        def block(h: jax.Array, width: int, attend: bool) -> jax.Array:
            style = (config.dropout, dtype, initializer, config.zero_last)
            h = ResidualBlock(width, *style)(h, embedding, train)
            return SelfAttention(config.num_heads, dtype)(h) if attend else h

        h = conv(x.astype(dtype), config.channels)
        skips = [h]
        for i, width in enumerate(widths):
            for _ in range(config.num_blocks):
                h = block(h, width, h.shape[1] in config.attention)
                skips.append(h)
            if i + 1 < len(widths):
                h = conv(h, width, strides=2)
                skips.append(h)
        middle = config.middle_attention
        h = block(h, widths[-1], bool(config.attention) if middle is None else middle)
        h = block(h, widths[-1], attend=False)
        for i, width in reversed(list(enumerate(widths))):
            for _ in range(config.num_blocks + 1):
                h = jnp.concatenate([h, skips.pop()], axis=-1)
                h = block(h, width, h.shape[1] in config.attention)
            if i:
                # An odd map was halved upwards: what is doubled is cropped to it.
                doubled = upsampling(2, skips[-1].shape[1:3])
                h = conv(h, width, conv_general_dilated=doubled)
        h = nn.silu(group_norm(h.shape[-1], dtype)(h))
        end = last(initializer, 9 * h.shape[-1], config.zero_last)
        return _conv(self.num_outputs, 1, dtype, end, h).astype(jnp.float32)


class ResidualBlock(nn.Module):
    """x [B, H, W, C] and the step's embedding [B, E] to [B, H, W, features].

    What comes out is added to a shortcut, x itself, or a map of its channels where their number
    changes; with `zero_last` the shortcut is all there is at first.
    """

    features: int
    dropout: float
    dtype: Any
    initializer: Initializer
    zero_last: bool

    @nn.compact
    def __call__(self, x: jax.Array, embedding: jax.Array, train: bool) -> jax.Array:
        channels, name = x.shape[-1], self.initializer
        h = nn.silu(group_norm(channels, self.dtype)(x))
        h = _conv(self.features, 1, self.dtype, initial(name, 9 * channels), h)
        start = initial(name, embedding.shape[-1])
        told = nn.Dense(self.features, dtype=self.dtype, **start)(embedding)
        h += told[:, None, None, :]
        h = nn.silu(group_norm(self.features, self.dtype)(h))
        h = nn.Dropout(self.dropout, deterministic=not train)(h)
        end = last(name, 9 * self.features, self.zero_last)
        h = _conv(self.features, 1, self.dtype, end, h)
        if channels != self.features:
            x = nn.Dense(self.features, dtype=self.dtype, **initial(name, channels))(x)
        return gradient_made(x + h)


def _conv(
    features: int, strides: int, dtype: Any, kwargs: dict[str, Any], x: jax.Array
) -> jax.Array:
    """A 3x3 convolution; in a compact module."""
    y: jax.Array = Conv(features, (3, 3), strides=(strides, strides), dtype=dtype, **kwargs)(x)
    return y
