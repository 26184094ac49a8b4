"""Generators: a latent (and a condition) to an image, dense or convolutional.

A generator is a frozen config that builds the Linen module for images of a given shape. Any height
and width work: the last feature map is cropped to them.
"""

import dataclasses
import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.nets.conv import Conv, ConvTranspose, upsampling
from gm_jax.nets.initializers import Initializer, initial
from gm_jax.nets.mlp import Activation, activation_of
from gm_jax.nets.norm import Norm, NormName

Shape = tuple[int, ...]
Output = Literal["tanh", "sigmoid", "linear"]

_OUTPUTS = {"tanh": jnp.tanh, "sigmoid": nn.sigmoid, "linear": lambda x: x}
_MOST_WIDTHS = 16  # channels of the smallest map, in widths


@dataclasses.dataclass(frozen=True)
class Generator(Config):
    """Builds a module (z [B, K], condition [B, M] or None, train) -> [B, H, W, C] float32."""

    output: Output = "tanh"
    """Last function: tanh for images scaled to [-1, 1], sigmoid for [0, 1], linear for points."""
    activation: Activation = "relu"
    """Between layers."""
    norm: NormName = "none"
    """Before each activation."""
    init_scale: float | None = None
    """Standard deviation of the kernels' and of the normalizations' gains' initial values (None:
    as `initializer` says, and gains of 1)."""
    slope: float = 0.2
    """Of leaky_relu below 0."""
    initializer: Initializer = "lecun_normal"
    """How the weights start, where there is no init_scale."""
    biases: bool = True
    """Whether layers without batch norm, which takes them away again, have biases."""

    def __post_init__(self) -> None:
        check_positive(self, "init_scale")
        check_not_negative(self, "slope")
        check_one_start(self)

    def module(self, shape: Shape, dtype: Any) -> nn.Module:
        """The module for images of shape [H, W, C]."""
        raise NotImplementedError

    def quick(self) -> "Generator":
        """A narrow version for tests, whose samples differ from the first step on."""
        return self


@dataclasses.dataclass(frozen=True)
class DenseGenerator(Generator):
    """Fully connected layers."""

    hidden: tuple[int, ...] = (128, 256)
    """Widths of the hidden layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "hidden")

    def module(self, shape: Shape, dtype: Any) -> nn.Module:
        return DenseGeneratorNet(self, shape, dtype)

    def quick(self) -> "DenseGenerator":
        return dataclasses.replace(
            self, hidden=tuple(min(h, 16) for h in self.hidden), init_scale=None
        )


@dataclasses.dataclass(frozen=True)
class ConvGenerator(Generator):
    """A dense layer to a small map, then convolutions that enlarge it."""

    features: tuple[int, ...] = ()
    """Channels of the maps, the smallest map first (none: by the image's size, see `width`)."""
    strides: tuple[int, ...] = ()
    """How much each layer after the dense one enlarges, the last one included (none: 2 each)."""
    width: int = 64
    """Where features is none: channels of the largest map; each smaller map has twice as many."""
    kernel_size: int = 4
    """Side of the kernels that enlarge; a multiple of the stride leaves no checkerboard."""
    plain_kernel: int = 3
    """Side of the kernels that do not enlarge (all of them where upsampling is nearest)."""
    output_kernel: int | None = None
    """Side of the last layer's kernel (None: as the others)."""
    upsampling: Literal["transposed", "nearest"] = "transposed"
    """Enlarge by transposed convolutions, or by nearest neighbours before plain ones."""
    dense_norm: bool = True
    """Whether the smallest map is normalized too (with batch norm it has no bias either way)."""
    dense_activation: bool = True
    """Whether the smallest map is activated too, where it is normalized."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "features", "strides", "width", "kernel_size", "plain_kernel")
        check_positive(self, "output_kernel")
        if self.strides and len(self.strides) != len(self.features):
            raise ConfigError(
                "ConvGenerator.strides needs one entry for each of features "
                f"{self.features}, not {self.strides}"
            )

    def layers(self, shape: Shape) -> tuple[Shape, Shape]:
        """Features and strides for images of `shape`."""
        if self.features:
            return self.features, self.strides or (2,) * len(self.features)
        widths = stage_widths(shape, self.width)[::-1]
        return widths, (2,) * len(widths)

    def module(self, shape: Shape, dtype: Any) -> nn.Module:
        return ConvGeneratorNet(self, shape, dtype)

    def quick(self) -> "ConvGenerator":
        return dataclasses.replace(
            self,
            features=tuple(min(f, 8) for f in self.features),
            width=min(self.width, 4),
            init_scale=None,
        )


def stage_widths(shape: Shape, width: int) -> Shape:
    """Channels of the maps from an image's half size down to 4 to 7 pixels: width, 2 width, ...

    28 pixels take 2 maps (14, 7), 32 take 3 (16, 8, 4), 64 take 4 and 128 take 5.
    """
    num = max(1, int(math.log2(max(min(shape[:2]) / 4, 1))))
    return tuple(width * min(2**i, _MOST_WIDTHS) for i in range(num))


class DenseGeneratorNet(nn.Module):
    """(z [B, K], condition [B, M] or None, train) -> [B, H, W, C]."""

    config: DenseGenerator
    shape: Shape
    dtype: Any

    @nn.compact
    def __call__(self, z: jax.Array, condition: jax.Array | None, train: bool) -> jax.Array:
        config = self.config
        x = with_condition(z, condition)
        for width in config.hidden:
            x = _dense(config, width, x, self.dtype)
            x = _norm(config, self.dtype)(x, train)
            x = activation_of(config.activation, config.slope)(x)
        x = nn.Dense(
            math.prod(self.shape),
            use_bias=config.biases,
            dtype=self.dtype,
            **start(config, x.shape[-1]),
        )(x)
        return _OUTPUTS[config.output](x.astype(jnp.float32)).reshape(-1, *self.shape)


class ConvGeneratorNet(nn.Module):
    """(z [B, K], condition [B, M] or None, train) -> [B, H, W, C]."""

    config: ConvGenerator
    shape: Shape
    dtype: Any

    @nn.compact
    def __call__(self, z: jax.Array, condition: jax.Array | None, train: bool) -> jax.Array:
        config, (height, width, channels) = self.config, self.shape
        features, strides = config.layers(self.shape)
        growth = math.prod(strides)
        rows, columns = -(-height // growth), -(-width // growth)

        activation = activation_of(config.activation, config.slope)

        x = with_condition(z, condition)
        x = _dense(config, rows * columns * features[0], x, self.dtype)
        x = x.reshape(-1, rows, columns, features[0])
        if config.dense_norm:
            x = _norm(config, self.dtype)(x, train)
            x = activation(x) if config.dense_activation else x
        for num, stride in zip(features[1:], strides[:-1], strict=True):
            x = activation(_norm(config, self.dtype)(self._enlarge(x, num, stride), train))
        x = self._enlarge(x, channels, strides[-1], last=True)
        return _OUTPUTS[config.output](x[:, :height, :width].astype(jnp.float32))

    def _enlarge(self, x: jax.Array, features: int, stride: int, last: bool = False) -> jax.Array:
        config = self.config
        transposed = config.upsampling == "transposed" and stride > 1
        layer: Any = ConvTranspose if transposed else Conv
        kernel = config.kernel_size if transposed else config.plain_kernel
        if last and config.output_kernel:
            kernel = config.output_kernel
        counted = features if transposed else x.shape[-1]  # as PyTorch counts
        kwargs = start(config, kernel * kernel * counted)
        if config.upsampling == "nearest":
            kwargs["conv_general_dilated"] = upsampling(stride)
        y: jax.Array = layer(
            features,
            (kernel, kernel),
            (stride, stride) if transposed else (1, 1),
            use_bias=config.biases and (last or config.norm != "batch"),
            dtype=self.dtype,
            **kwargs,
        )(x)
        return y


def with_condition(x: jax.Array, condition: jax.Array | None) -> jax.Array:
    """x [B, K] with a condition [B, M] behind it, if there is one."""
    return x if condition is None else jnp.concatenate([x, condition.astype(x.dtype)], axis=-1)


def check_one_start(config: Any) -> None:
    """Raises ConfigError where both init_scale and initializer say how weights start."""
    if config.init_scale is not None and config.initializer != "lecun_normal":
        name = type(config).__name__
        raise ConfigError(
            f"{name}.init_scale {config.init_scale} and initializer {config.initializer} both say "
            "how weights start: leave one out"
        )


def start(config: Any, fan_in: int) -> dict[str, Any]:
    """The initial values of a layer of a generator or a discriminator."""
    if config.init_scale is not None:
        return {"kernel_init": nn.initializers.normal(config.init_scale)}
    return initial(config.initializer, fan_in)


def _dense(config: Generator, width: int, x: jax.Array, dtype: Any) -> jax.Array:
    use_bias = config.biases and config.norm != "batch"  # which takes a bias away again
    dense = nn.Dense(width, use_bias=use_bias, dtype=dtype, **start(config, x.shape[-1]))
    y: jax.Array = dense(x)
    return y


def _norm(config: Generator, dtype: Any) -> Norm:
    return Norm(config.norm, config.init_scale, dtype)
