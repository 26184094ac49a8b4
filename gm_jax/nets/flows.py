"""Normalizing flows of affine couplings: images to latents and back, on vectors or on maps.

A flow is a frozen config that builds one Linen module, `module(x, condition, inverse)`:

  forwards   x [B, H, W, C] -> z [B, K], log |det dz/dx| [B],    K = H W C
  inverted   z [B, K] -> x [B, H, W, C], log |det dx/dz| [B]

The last layers of all networks are zeros at first, unless `zero_last` is off: so a flow starts as
the identity.
"""

import dataclasses
import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.nets.conditioners import ConvConditioner, DenseConditioner, GatedConditioner, Style
from gm_jax.nets.couplings import (
    ActNorm,
    Chain,
    CheckerboardCoupling,
    Flip,
    HalvesCoupling,
    Made,
    Squeeze,
)
from gm_jax.nets.initializers import Initializer
from gm_jax.nets.mlp import Activation

Array = jax.Array
Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Flow(Config):
    """What all flows have."""

    activation: Activation = "leaky_relu"
    """Activation in the networks of scale and shift."""
    slope: float = 0.2
    """Of leaky_relu below 0."""
    initializer: Initializer = "lecun_normal"
    """How the weights of the networks start."""
    zero_last: bool = True
    """Whether their last layers are zeros at first, so that the flow starts as the identity."""
    separate_nets: bool = False
    """Whether scale and shift have a network each, or the two halves of one network's outputs."""
    log_scale_limit: float = 2.0
    """Bound of a coupling's log-scale: limit * tanh(raw / limit)."""
    actnorm: bool = True
    """Whether activation normalization comes before each coupling."""

    def __post_init__(self) -> None:
        check_positive(self, "log_scale_limit")
        check_not_negative(self, "slope")

    def check(self, shape: Shape) -> None:
        """Raises ConfigError where images [H, W, C] of this shape do not fit."""
        raise NotImplementedError

    def module(self, shape: Shape, dtype: Any) -> nn.Module:
        """The flow of images [H, W, C]; its networks compute in `dtype`."""
        raise NotImplementedError

    def quick(self) -> "Flow":
        """A small version for tests."""
        return self

    def style(self, dtype: Any) -> Style:
        """Of the networks."""
        return Style(self.activation, self.slope, self.initializer, self.zero_last, dtype)

    def steps(self, couplings: list[nn.Module], flip: bool) -> list[nn.Module]:
        """The couplings with what comes before and after each."""
        before = [ActNorm] if self.actnorm else []
        after = [Flip] if flip else []
        return [
            layer
            for coupling in couplings
            for layer in (*(b() for b in before), coupling, *(a() for a in after))
        ]


@dataclasses.dataclass(frozen=True)
class VectorFlow(Flow):
    """Couplings on halves of the vector of all values, with a flip after each; dense networks."""

    couplings: int = 8
    """Couplings."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of the networks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "couplings", "hidden")

    def check(self, shape: Shape) -> None:
        if math.prod(shape) < 2:
            raise ConfigError("VectorFlow couples halves: it needs 2 values or more, not 1")

    def module(self, shape: Shape, dtype: Any) -> nn.Module:
        return VectorFlowModule(self, shape, dtype)

    def quick(self) -> "VectorFlow":
        hidden = tuple(min(h, 8) for h in self.hidden[:1])
        return dataclasses.replace(self, couplings=min(self.couplings, 2), hidden=hidden)


@dataclasses.dataclass(frozen=True)
class ImageFlow(Flow):
    """Couplings of several scales with convolutional networks (Dinh et al. 2017, section 3.6).

    A scale has couplings of alternating checkerboards, a squeeze to half the height and width, and
    couplings of alternating halves of the channels; then half of the channels are done, and become
    latents. The last scale has checkerboards only. A last row or column that a squeeze would leave
    over is done before it, and becomes latents too, so that any height and width will do.
    """

    halvings: int = 2
    """Times that height and width are halved, downwards; neither may come to nothing."""
    checkerboard: int | tuple[int, ...] = 2
    """Checkerboard couplings of each scale, the last one too; or a number for each in turn."""
    channelwise: int | tuple[int, ...] = 2
    """Couplings of channels of each scale but the last; or a number for each in turn."""
    width: int | tuple[int, ...] = 32
    """Channels of the networks in the first scale, twice as many after each halving; or a number
    for each scale in turn. A scale's couplings of channels have those of the next one."""
    blocks: int = 1
    """Layers in the middle of a network."""
    residual: bool = True
    """Whether these are residual blocks (3x3, 1x1) or plain 3x3 convolutions."""
    gated: bool = False
    """Whether the residual blocks are gated, with concatenated ELUs for activations and layer
    normalization (Ho et al. 2019)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "width")
        check_not_negative(self, "halvings", "blocks")
        for field, num in (("checkerboard", 1), ("channelwise", 0), ("width", 1)):
            value, scales = getattr(self, field), self.halvings + num
            entries = value if isinstance(value, tuple) else (value,)
            if isinstance(value, tuple) and len(value) != scales:
                raise ConfigError(
                    f"ImageFlow.{field} must have {scales} entries with {self.halvings} halvings, "
                    f"not {len(value)}"
                )
            if min(entries, default=0) < 0:
                raise ConfigError(f"ImageFlow.{field} must be 0 or greater, not {value}")
        if not sum(self._checkerboards) + sum(self._channelwise):
            raise ConfigError(
                "ImageFlow has no coupling: set checkerboard, or both halvings and channelwise"
            )
        if self.gated and not self.residual:
            raise ConfigError("ImageFlow.gated is of residual blocks: leave residual on")

    @property
    def _checkerboards(self) -> Shape:
        return _of_each(self.checkerboard, self.halvings + 1)

    @property
    def _channelwise(self) -> Shape:
        return _of_each(self.channelwise, self.halvings)

    @property
    def _widths(self) -> Shape:
        if isinstance(self.width, tuple):
            return self.width
        return tuple(self.width * 2**i for i in range(self.halvings + 1))

    def check(self, shape: Shape) -> None:
        height, width = shape[:2]
        if height * width < 2:
            raise ConfigError("ImageFlow needs more than one place: take VectorFlow for points")
        allowed = min(height, width).bit_length() - 1
        if self.halvings > allowed:
            raise ConfigError(
                f"ImageFlow.halvings is {self.halvings}, but images of {height}x{width} allow "
                f"{allowed}: set it to that, or take images of {2**self.halvings} pixels and more"
            )

    def module(self, shape: Shape, dtype: Any) -> nn.Module:
        return ImageFlowModule(self, shape, dtype)

    def quick(self) -> "ImageFlow":
        halvings = min(self.halvings, 1)
        return dataclasses.replace(
            self,
            checkerboard=_at_most(1, self.checkerboard, halvings + 1),
            channelwise=_at_most(1, self.channelwise, halvings),
            halvings=halvings,
            width=_at_most(4, self.width, halvings + 1),
            blocks=min(self.blocks, 1),
        )

    def scale(self, index: int, dtype: Any) -> Chain:
        """The layers of one scale."""

        def network(scale: int) -> Any:
            net: Any = functools.partial(ConvConditioner, residual=self.residual)
            return functools.partial(
                GatedConditioner if self.gated else net,
                width=self._widths[scale],
                blocks=self.blocks,
                style=self.style(dtype),
            )

        checkerboards: list[nn.Module] = [
            CheckerboardCoupling(network(index), self.separate_nets, self.log_scale_limit, i % 2)
            for i in range(self._checkerboards[index])
        ]
        layers = self.steps(checkerboards, flip=False)
        if index < self.halvings:
            channels: list[nn.Module] = [
                HalvesCoupling(network(index + 1), self.separate_nets, self.log_scale_limit)
                for _ in range(self._channelwise[index])
            ]
            layers += [Squeeze(), *self.steps(channels, flip=True)]
        return Chain(tuple(layers))

    def latent_shapes(self, shape: Shape) -> list[Shape]:
        """[H, W, C] of the latents that each scale leaves, beside `num_left_over`."""
        height, width, channels = shape
        shapes: list[Shape] = []
        for _ in range(self.halvings):
            # A squeeze makes 4 times the channels, of which half go on.
            height, width, channels = height // 2, width // 2, 2 * channels
            shapes.append((height, width, channels))
        return [*shapes, (height, width, channels)]

    def num_left_over(self, shape: Shape) -> list[int]:
        """Values in the rows and columns that each scale but the last leaves over."""
        height, width, channels = shape
        numbers = []
        for _ in range(self.halvings):
            even = (height - height % 2) * (width - width % 2)
            numbers.append((height * width - even) * channels)
            height, width, channels = height // 2, width // 2, 2 * channels
        return numbers

    def squeeze_at(self, scale: int) -> int:
        """The layers of a scale, but the last one, that come before its squeeze."""
        return self._checkerboards[scale] * (2 if self.actnorm else 1)


def _of_each(value: int | Shape, num: int) -> Shape:
    """One number for all, or one for each."""
    return value if isinstance(value, tuple) else (value,) * num


def _at_most(most: int, value: int | Shape, num: int) -> int | Shape:
    """No number above `most`; where there is one for each scale, the first `num` of them."""
    if isinstance(value, tuple):
        return tuple(min(v, most) for v in value[:num])
    return min(value, most)


class VectorFlowModule(nn.Module):
    """See `VectorFlow`."""

    flow: VectorFlow
    shape: Shape
    dtype: Any

    def setup(self) -> None:
        flow = self.flow
        network = functools.partial(
            DenseConditioner, hidden=flow.hidden, style=flow.style(self.dtype)
        )
        couplings: list[nn.Module] = [
            HalvesCoupling(network, flow.separate_nets, flow.log_scale_limit)
            for _ in range(flow.couplings)
        ]
        self.chain = Chain(tuple(flow.steps(couplings, flip=True)))

    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        y, log_det = self.chain(x.reshape(len(x), -1), condition, inverse)  # [B, K], [B]
        return (y.reshape(-1, *self.shape) if inverse else y), log_det


class ImageFlowModule(nn.Module):
    """See `ImageFlow`."""

    flow: ImageFlow
    shape: Shape
    dtype: Any

    def setup(self) -> None:
        self.scales = [self.flow.scale(i, self.dtype) for i in range(self.flow.halvings + 1)]

    def __call__(self, x: Array, condition: Array | None = None, inverse: bool = False) -> Made:
        return (self.backward if inverse else self.forward)(x, condition)

    def forward(self, x: Array, condition: Array | None) -> Made:
        parts, log_det = [], jnp.zeros(len(x))
        for i, scale in enumerate(self.scales[:-1]):
            if x.shape[1] % 2 or x.shape[2] % 2:
                first, second = self.around_squeeze(i)
                x, change = scale(x, condition, part=first)
                log_det += change
                x, left_over = cut_even(x)
                parts.append(left_over)
                x, change = scale(x, condition, part=second)
            else:
                x, change = scale(x, condition)  # [B, H, W, C]
            x, done = jnp.split(x, 2, axis=-1)
            parts.append(done)
            log_det += change
        x, change = self.scales[-1](x, condition)
        flat = [part.reshape(len(x), -1) for part in (*parts, x)]
        return jnp.concatenate(flat, axis=-1), log_det + change

    def backward(self, z: Array, condition: Array | None) -> Made:
        *shapes, last_shape = self.flow.latent_shapes(self.shape)
        numbers = self.flow.num_left_over(self.shape)
        sizes = [n for pair in zip(numbers, map(math.prod, shapes), strict=True) for n in pair]
        ends = [sum(sizes[:i]) for i in range(1, len(sizes) + 1)]
        *parts, last = jnp.split(z, ends, axis=-1)  # left over, done, left over, done, ..., last
        x, log_det = self.scales[-1](last.reshape(-1, *last_shape), condition, inverse=True)
        for i in reversed(range(len(shapes))):
            scale, left_over = self.scales[i], parts[2 * i]
            done = parts[2 * i + 1].reshape(-1, *shapes[i])
            x = jnp.concatenate([x, done], axis=-1)
            if left_over.shape[1]:
                first, second = self.around_squeeze(i)
                x, change = scale(x, condition, inverse=True, part=second)
                log_det += change
                x = add_left_over(x, left_over, self.map_size(i))
                x, change = scale(x, condition, inverse=True, part=first)
            else:
                x, change = scale(x, condition, inverse=True)
            log_det += change
        return x, log_det

    def around_squeeze(self, scale: int) -> tuple[slice, slice]:
        """The layers of a scale before its squeeze, and from it on."""
        at = self.flow.squeeze_at(scale)
        return slice(None, at), slice(at, None)

    def map_size(self, scale: int) -> Shape:
        """Height and width of what enters a scale."""
        return (self.shape[0] >> scale, self.shape[1] >> scale)


def cut_even(x: Array) -> tuple[Array, Array]:
    """Cuts off a last row and a last column that are one too many.

    Args:
      x: [B, H, W, C].

    Returns:
      x with an even height and width, and what was cut off: the row, then the column, [B, K].
    """
    height, width = (side - side % 2 for side in x.shape[1:3])
    row, column = x[:, height:], x[:, :height, width:]
    left_over = [part.reshape(len(x), -1) for part in (row, column)]
    return x[:, :height, :width], jnp.concatenate(left_over, axis=-1)


def add_left_over(x: Array, left_over: Array, size: Shape) -> Array:
    """Puts back what `cut_even` cut off, which gives [B, *size, C]."""
    batch, rows, columns, channels = x.shape
    height, width = size
    num = (height - rows) * width * channels
    row, column = jnp.split(left_over, [num], axis=-1)
    x = jnp.concatenate([x, column.reshape(batch, rows, width - columns, channels)], axis=2)
    return jnp.concatenate([x, row.reshape(batch, height - rows, width, channels)], axis=1)
