"""Encoders and decoders: an image to a code and back, dense or convolutional.

A coder is a frozen config that builds the two Linen modules. The decoder mirrors the encoder and
crops to the image's size, so any height and width work.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.functional.pooling import max_pool
from gm_jax.nets.conv import Conv, ConvTranspose, upsampling
from gm_jax.nets.initializers import Initializer, initial
from gm_jax.nets.mlp import MLP, Activation, activation_of
from gm_jax.rng import Rngs

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Coder(Config):
    """An encoder and its mirrored decoder."""

    def encoder(self, num_codes: int, latent_dim: int, dtype: Any) -> nn.Module:
        """Module: [B, H, W, C] -> [B, *code_shape, num_codes]."""
        raise NotImplementedError

    def decoder(self, shape: Shape, num_outputs: int, dtype: Any) -> nn.Module:
        """Module: [B, *code_shape] -> [B, H, W, num_outputs] for an image shape [H, W, C]."""
        raise NotImplementedError

    def code_shape(self, shape: Shape, latent_dim: int) -> Shape:
        """Shape of one code for an image shape [H, W, C]."""
        return (latent_dim,)

    def quick(self) -> "Coder":
        """A narrow version for tests."""
        return self


def init_coder(
    rngs: Rngs, encoder: nn.Module, decoder: nn.Module, shape: Shape, code_shape: Shape
) -> dict[str, Any]:
    """Fresh parameters {"encoder", "decoder"} for images of `shape` and codes of `code_shape`."""
    return {
        "encoder": encoder.init(rngs("params/encoder"), jnp.zeros((1, *shape)))["params"],
        "decoder": decoder.init(rngs("params/decoder"), jnp.zeros((1, *code_shape)))["params"],
    }


@dataclasses.dataclass(frozen=True)
class DenseCoder(Coder):
    """Fully connected layers; the decoder has the same widths in reverse."""

    hidden: tuple[int, ...] = (512, 256)
    """Widths of the hidden layers of the encoder (none: a linear map)."""
    activation: Activation = "relu"
    """Activation between layers."""
    activate_code: bool = False
    """Whether the code itself goes through the activation."""
    slope: float = 0.2
    """Of leaky_relu below 0."""
    initializer: Initializer = "lecun_normal"
    """How the weights start."""

    def __post_init__(self) -> None:
        check_positive(self, "hidden")
        check_not_negative(self, "slope")

    def encoder(self, num_codes: int, latent_dim: int, dtype: Any) -> nn.Module:
        return DenseEncoder(self, num_codes, latent_dim, dtype)

    def decoder(self, shape: Shape, num_outputs: int, dtype: Any) -> nn.Module:
        return DenseDecoder(self, shape, num_outputs, dtype)

    def quick(self) -> "DenseCoder":
        return dataclasses.replace(self, hidden=tuple(min(h, 16) for h in self.hidden))


@dataclasses.dataclass(frozen=True)
class ConvCoder(Coder):
    """Convolutions, then (where `dense` is given) a dense layer; mirrored in the decoder.

    Without `dense` the code stays a feature map with `latent_dim` channels, or is a vector made of
    the whole map at once, where `vector` says so.
    """

    features: tuple[int, ...] = (32, 64)
    """Channels of the encoder's convolutions."""
    strides: tuple[int, ...] = (2, 2)
    """Stride of each convolution, or the size of the pooling after it."""
    kernel_size: int = 3
    """Side of every kernel."""
    dense: int | None = 256
    """Width of the dense layer before the code (None: none)."""
    vector: bool = False
    """Whether the code is a vector also without that layer, which would be a bottleneck for codes
    wider than it; else it is a feature map."""
    code_stride: int = 1
    """Stride of the layer that makes the code, where that is a feature map; above 1 the decoder
    begins with one that enlarges as much."""
    code_kernel: int | None = None
    """Side of that layer's kernel (None: 1, or kernel_size where code_stride is above 1)."""
    activate_code: bool = False
    """Whether the code itself goes through the activation (not where there is a dense layer)."""
    pooling: bool = False
    """Shrink by max-pooling and grow by nearest neighbours, instead of strided convolutions."""
    activation: Activation = "relu"
    """Activation between layers."""
    slope: float = 0.2
    """Of leaky_relu below 0."""
    initializer: Initializer = "lecun_normal"
    """How the weights start."""

    def __post_init__(self) -> None:
        check_positive(self, "features", "strides", "kernel_size", "dense", "code_stride")
        check_positive(self, "code_kernel")
        check_not_negative(self, "slope")
        if self.vector and self.dense:
            raise ConfigError(
                f"ConvCoder.vector is for dense None: with {self.dense} the code is a vector"
            )
        of_maps = {
            f"code_stride {self.code_stride}": self.code_stride > 1,
            f"code_kernel {self.code_kernel}": self.code_kernel is not None,
            "activate_code": self.activate_code,
        }
        for field, is_set in of_maps.items():
            if is_set and (self.dense or self.vector):
                other = "dense" if self.dense else "vector"
                raise ConfigError(f"ConvCoder.{field} does not go with {other}: leave one out")
        if len(self.features) != len(self.strides):
            raise ConfigError(
                f"ConvCoder.strides needs one entry for each of features {self.features}, "
                f"not {self.strides}"
            )

    def encoder(self, num_codes: int, latent_dim: int, dtype: Any) -> nn.Module:
        return ConvEncoder(self, num_codes, latent_dim, dtype)

    def decoder(self, shape: Shape, num_outputs: int, dtype: Any) -> nn.Module:
        return ConvDecoder(self, shape, num_outputs, dtype)

    def code_shape(self, shape: Shape, latent_dim: int) -> Shape:
        if self.dense or self.vector:
            return (latent_dim,)
        rows, columns = self.map_shape(shape)
        return (-(-rows // self.code_stride), -(-columns // self.code_stride), latent_dim)

    @property
    def between(self) -> Callable[[jax.Array], jax.Array]:
        """The activation."""
        return activation_of(self.activation, self.slope)

    def map_shape(self, shape: Shape) -> Shape:
        """Height and width of the last feature map."""
        shrink = math.prod(self.strides)
        return (-(-shape[0] // shrink), -(-shape[1] // shrink))

    def quick(self) -> "ConvCoder":
        dense = self.dense and min(self.dense, 16)
        return dataclasses.replace(
            self, features=tuple(min(f, 8) for f in self.features), dense=dense
        )


class DenseEncoder(nn.Module):
    """[B, H, W, C] -> [B, latent_dim, num_codes]."""

    coder: DenseCoder
    num_codes: int
    latent_dim: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = self.latent_dim * self.num_codes
        x = MLP(
            (*self.coder.hidden, width),
            self.coder.activation,
            activate_final=self.coder.activate_code,
            slope=self.coder.slope,
            initializer=self.coder.initializer,
            dtype=self.dtype,
        )(x)
        return x.reshape(-1, self.latent_dim, self.num_codes)


class DenseDecoder(nn.Module):
    """[B, latent_dim] -> [B, H, W, num_outputs]."""

    coder: DenseCoder
    shape: Shape
    num_outputs: int
    dtype: Any

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        height, width = self.shape[:2]
        widths = (*reversed(self.coder.hidden), height * width * self.num_outputs)
        x = MLP(
            widths,
            self.coder.activation,
            slope=self.coder.slope,
            initializer=self.coder.initializer,
            dtype=self.dtype,
        )(z)
        return x.reshape(-1, height, width, self.num_outputs)


class ConvEncoder(nn.Module):
    """[B, H, W, C] -> [B, *code_shape, num_codes]."""

    coder: ConvCoder
    num_codes: int
    latent_dim: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        coder, activation = self.coder, self.coder.between
        for width, stride in zip(coder.features, coder.strides, strict=True):
            x = activation(self._shrink(x, width, coder.kernel_size, stride))
            x = self._pool(x, stride)
        num_features = self.latent_dim * self.num_codes
        if coder.dense:
            x = activation(MLP((coder.dense,), initializer=coder.initializer, dtype=self.dtype)(x))
            start = initial(coder.initializer, x.shape[-1])
            x = nn.Dense(num_features, dtype=self.dtype, **start)(x)
        elif coder.vector:
            x = MLP((num_features,), initializer=coder.initializer, dtype=self.dtype)(x)
        else:
            size = coder.code_kernel or (coder.kernel_size if coder.code_stride > 1 else 1)
            x = self._shrink(x, num_features, size, coder.code_stride)
            x = self._pool(activation(x) if coder.activate_code else x, coder.code_stride)
        return x.reshape(*x.shape[:-1], self.latent_dim, self.num_codes)

    def _shrink(self, x: jax.Array, width: int, size: int, stride: int) -> jax.Array:
        step = 1 if self.coder.pooling else stride
        start = initial(self.coder.initializer, size * size * x.shape[-1])
        y: jax.Array = Conv(width, (size, size), (step, step), dtype=self.dtype, **start)(x)
        return y

    def _pool(self, x: jax.Array, stride: int) -> jax.Array:
        if not self.coder.pooling or stride == 1:
            return x
        return max_pool(x, stride)


class ConvDecoder(nn.Module):
    """[B, *code_shape] -> [B, H, W, num_outputs]."""

    coder: ConvCoder
    shape: Shape
    num_outputs: int
    dtype: Any

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        coder, activation = self.coder, self.coder.between
        size, rows_columns = coder.kernel_size, coder.map_shape(self.shape)
        x = z
        if coder.dense or coder.vector:
            width = math.prod(rows_columns) * coder.features[-1]
            x = MLP(
                (coder.dense, width) if coder.dense else (width,),
                coder.activation,
                activate_final=True,
                slope=coder.slope,
                initializer=coder.initializer,
                dtype=self.dtype,
            )(x)
            x = x.reshape(-1, *rows_columns, coder.features[-1])
        elif coder.code_stride > 1:
            x = activation(self._grow(x, coder.features[-1], coder.code_stride))
            if coder.pooling:  # an odd map was halved upwards
                x = x[:, : rows_columns[0], : rows_columns[1]]
        # The layer that undoes encoder layer i gives the channels layer i - 1 had.
        channels = (coder.features[0], *coder.features[:-1])
        for width, stride in reversed(list(zip(channels, coder.strides, strict=True))):
            x = activation(self._grow(x, width, stride))
        x = x[:, : self.shape[0], : self.shape[1]]
        start = initial(coder.initializer, size * size * x.shape[-1])
        return Conv(self.num_outputs, (size, size), dtype=self.dtype, **start)(x)

    def _grow(self, x: jax.Array, width: int, stride: int) -> jax.Array:
        size, initializer = self.coder.kernel_size, self.coder.initializer
        if self.coder.pooling:
            start = initial(initializer, size * size * x.shape[-1])
            start |= {"conv_general_dilated": upsampling(stride)}
            grown: Any = Conv(width, (size, size), dtype=self.dtype, **start)
        else:
            start = initial(initializer, size * size * width)  # as PyTorch counts
            strides = (stride, stride)
            grown = ConvTranspose(width, (size, size), strides, dtype=self.dtype, **start)
        y: jax.Array = grown(x)
        return y
