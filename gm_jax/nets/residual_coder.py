"""A residual convolutional coder, as of VAEs that model well what they compress.

The encoder halves the map at the start of each stage but the first; residual blocks of two 3x3
convolutions follow (He et al. 2016, "Identity mappings in deep residual networks"), whose last one
starts at 0, so that a fresh coder is as shallow as its strides allow. The code is a vector, a dense
layer away from the smallest map. The decoder mirrors it, doubling by nearest neighbours, and crops.
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax

from gm_jax.errors import check_positive
from gm_jax.nets.coders import Coder, Shape
from gm_jax.nets.conv import Conv, ConvTranspose, upsampling
from gm_jax.nets.mlp import MLP, Activation, activation_of
from gm_jax.nets.norm import group_norm

_SLOPE = 0.2  # of leaky_relu below 0


@dataclasses.dataclass(frozen=True)
class ResidualCoder(Coder):
    """Residual stages, each at half the height and width of the one before."""

    features: tuple[int, ...] = (16, 32, 64)
    """Channels of the stages, the largest map first."""
    num_blocks: int = 1
    """Residual blocks of each stage."""
    first_stride: int = 1
    """Stride of the first convolution, and of the last one back: 2 spares blocks at full size."""
    norm: Literal["none", "group"] = "none"
    """Normalization in the blocks (Wu & He 2018, arXiv:1803.08494, or none)."""
    activation: Activation = "elu"
    """Activation within the blocks."""

    def __post_init__(self) -> None:
        check_positive(self, "features", "num_blocks", "first_stride")

    def encoder(self, num_codes: int, latent_dim: int, dtype: Any) -> nn.Module:
        return ResidualEncoder(self, num_codes, latent_dim, dtype)

    def decoder(self, shape: Shape, num_outputs: int, dtype: Any) -> nn.Module:
        return ResidualDecoder(self, shape, num_outputs, dtype)

    def map_shapes(self, shape: Shape) -> list[Shape]:
        """Height and width of each stage's map."""
        strides = [self.first_stride * 2**i for i in range(len(self.features))]
        return [(-(-shape[0] // s), -(-shape[1] // s)) for s in strides]

    def quick(self) -> "ResidualCoder":
        return dataclasses.replace(
            self, features=tuple(min(f, 8) for f in self.features[:2]), num_blocks=1
        )


class ResidualEncoder(nn.Module):
    """[B, H, W, C] -> [B, latent_dim, num_codes]."""

    coder: ResidualCoder
    num_codes: int
    latent_dim: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        coder = self.coder
        stride = coder.first_stride
        for width in coder.features:
            x = Conv(width, (3, 3), (stride, stride), dtype=self.dtype)(x)
            for _ in range(coder.num_blocks):
                x = ResidualBlock(coder, self.dtype)(x)
            stride = 2
        x = MLP((self.latent_dim * self.num_codes,), dtype=self.dtype)(_active(coder, x))
        return x.reshape(-1, self.latent_dim, self.num_codes)


class ResidualDecoder(nn.Module):
    """[B, latent_dim] -> [B, H, W, num_outputs]."""

    coder: ResidualCoder
    shape: Shape
    num_outputs: int
    dtype: Any

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        coder = self.coder
        shapes = coder.map_shapes(self.shape)
        rows, columns = shapes[-1]
        x = nn.Dense(rows * columns * coder.features[-1], dtype=self.dtype)(z)
        x = x.reshape(-1, rows, columns, coder.features[-1])
        for i, width in reversed(list(enumerate(coder.features))):
            if i + 1 < len(coder.features):
                doubled = upsampling(2, shapes[i])
                x = Conv(width, (3, 3), dtype=self.dtype, conv_general_dilated=doubled)(x)
            for _ in range(coder.num_blocks):
                x = ResidualBlock(coder, self.dtype)(x)
        # As wide as three of its strides: each place of the image sees 3x3 of the map's.
        stride, kernel = (coder.first_stride,) * 2, (3 * coder.first_stride,) * 2
        x = ConvTranspose(self.num_outputs, kernel, stride, dtype=self.dtype)(_active(coder, x))
        return x[:, : self.shape[0], : self.shape[1]]


class ResidualBlock(nn.Module):
    """[B, H, W, C] to the same; at first x itself."""

    coder: ResidualCoder
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        h = Conv(width, (3, 3), dtype=self.dtype)(self._normed(x))
        zero = nn.initializers.zeros
        return x + Conv(width, (3, 3), kernel_init=zero, dtype=self.dtype)(self._normed(h))

    def _normed(self, x: jax.Array) -> jax.Array:
        if self.coder.norm == "group":
            x = group_norm(x.shape[-1], self.dtype)(x)
        return _active(self.coder, x)


def _active(coder: ResidualCoder, x: jax.Array) -> jax.Array:
    return activation_of(coder.activation, _SLOPE)(x)
