"""Discriminators: an image (and a condition) to one number, dense or convolutional.

A discriminator is a frozen config that builds the Linen module. Images of any height and width
work.
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.config_types import Config
from gm_jax.errors import (
    ConfigError,
    check_fraction,
    check_not_negative,
    check_positive,
)
from gm_jax.nets.conv import Conv
from gm_jax.nets.generators import check_one_start, stage_widths, start, with_condition
from gm_jax.nets.initializers import Initializer
from gm_jax.nets.norm import Norm, NormName

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Discriminator(Config):
    """Builds a module (x [B, H, W, C], condition [B, M] or None, train) -> logits [B] float32."""

    slope: float = 0.2
    """Of the leaky ReLU below 0."""
    norm: Literal["none", "batch", "layer", "spectral"] = "none"
    """Normalization of the maps, or (spectral) of the kernels by their largest singular value."""
    dropout: float = 0.0
    """Share of the values that are dropped behind each activation, in training."""
    init_scale: float | None = None
    """Standard deviation of the kernels' and of the normalizations' gains' initial values (None:
    as `initializer` says, and gains of 1)."""
    initializer: Initializer = "lecun_normal"
    """How the weights start, where there is no init_scale."""
    biases: bool = True
    """Whether layers have biases, where no batch norm takes them away again."""

    def __post_init__(self) -> None:
        check_positive(self, "init_scale")
        check_not_negative(self, "slope")
        check_fraction(self, "dropout")
        check_one_start(self)

    def module(self, dtype: Any) -> nn.Module:
        """The module."""
        raise NotImplementedError

    def quick(self) -> "Discriminator":
        """A narrow version for tests."""
        return self


@dataclasses.dataclass(frozen=True)
class DenseDiscriminator(Discriminator):
    """Fully connected layers."""

    hidden: tuple[int, ...] = (256, 128)
    """Widths of the hidden layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "hidden")

    def module(self, dtype: Any) -> nn.Module:
        return DenseDiscriminatorNet(self, dtype)

    def quick(self) -> "DenseDiscriminator":
        return dataclasses.replace(
            self, hidden=tuple(min(h, 16) for h in self.hidden), init_scale=None
        )


@dataclasses.dataclass(frozen=True)
class ConvDiscriminator(Discriminator):
    """Strided convolutions, then one dense layer."""

    features: tuple[int, ...] = ()
    """Channels of the convolutions (none: by the image's size, see `width`)."""
    strides: tuple[int, ...] = ()
    """Stride of each convolution (none: 2 each)."""
    width: int = 64
    """Where features is none: channels of the first convolution; each next one has twice as many,
    down to maps of 4 to 7 pixels."""
    kernel_size: int = 4
    """Side of the kernels."""
    first_norm: bool = False
    """Whether the first convolution is normalized too (spectral: they all are)."""
    norm_last: bool = False
    """Whether maps are normalized behind activation and dropout, instead of before them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "features", "strides", "width", "kernel_size")
        if self.strides and len(self.strides) != len(self.features):
            raise ConfigError(
                "ConvDiscriminator.strides needs one entry for each of features "
                f"{self.features}, not {self.strides}"
            )

    def layers(self, shape: Shape) -> tuple[Shape, Shape]:
        """Features and strides for images of `shape`."""
        features = self.features or stage_widths(shape, self.width)
        return features, self.strides or (2,) * len(features)

    def module(self, dtype: Any) -> nn.Module:
        return ConvDiscriminatorNet(self, dtype)

    def quick(self) -> "ConvDiscriminator":
        return dataclasses.replace(
            self,
            features=tuple(min(f, 8) for f in self.features),
            width=min(self.width, 4),
            init_scale=None,
        )


class DenseDiscriminatorNet(nn.Module):
    """(x [B, H, W, C], condition [B, M] or None, train) -> logits [B]."""

    config: DenseDiscriminator
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None, train: bool) -> jax.Array:
        config = self.config
        x = with_condition(x.reshape(x.shape[0], -1), condition)
        for width in config.hidden:
            dense = nn.Dense(
                width,
                use_bias=config.biases,
                dtype=self.dtype,
                **start(config, x.shape[-1]),
            )
            x = _spectral(config, dense, x, train)
            x = Norm(_map_norm(config), config.init_scale, self.dtype)(x, train)
            x = _activate(config, x, train)
        return _logits(config, x, train, self.dtype)


class ConvDiscriminatorNet(nn.Module):
    """(x [B, H, W, C], condition [B, M] or None, train) -> logits [B].

    A condition becomes M constant channels behind the image's own.
    """

    config: ConvDiscriminator
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None, train: bool) -> jax.Array:
        config = self.config
        features, strides = config.layers(x.shape[1:])
        if condition is not None:
            planes = condition[:, None, None, :].astype(x.dtype)
            planes = jnp.broadcast_to(planes, (*x.shape[:3], condition.shape[-1]))
            x = jnp.concatenate([x, planes], axis=-1)
        for i, (num, stride) in enumerate(zip(features, strides, strict=True)):
            kind = _map_norm(config) if i or config.first_norm else "none"
            norm = Norm(kind, config.init_scale, self.dtype)
            conv = Conv(
                num,
                (config.kernel_size, config.kernel_size),
                (stride, stride),
                use_bias=config.biases and (kind != "batch" or config.norm_last),
                dtype=self.dtype,
                **start(config, config.kernel_size**2 * x.shape[-1]),
            )
            x = _spectral(config, conv, x, train)
            if config.norm_last:
                x = norm(_activate(config, x, train), train)
            else:
                x = _activate(config, norm(x, train), train)
        return _logits(config, x.reshape(x.shape[0], -1), train, self.dtype)


def _map_norm(config: Discriminator) -> NormName:
    return "none" if config.norm == "spectral" else config.norm


def _spectral(config: Discriminator, layer: nn.Module, x: jax.Array, train: bool) -> jax.Array:
    """The layer, its kernel divided by its largest singular value (Miyato et al. 2018)."""
    if config.norm != "spectral":
        return layer(x)
    return nn.SpectralNorm(layer)(x, update_stats=train)


def _activate(config: Discriminator, x: jax.Array, train: bool) -> jax.Array:
    x = nn.leaky_relu(x, config.slope)
    return nn.Dropout(config.dropout, deterministic=not train)(x)


def _logits(config: Discriminator, x: jax.Array, train: bool, dtype: Any) -> jax.Array:
    dense = nn.Dense(1, use_bias=config.biases, dtype=dtype, **start(config, x.shape[-1]))
    return _spectral(config, dense, x, train)[:, 0].astype(jnp.float32)
