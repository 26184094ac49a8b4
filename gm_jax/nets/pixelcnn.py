"""Networks of PixelCNN: masked residual blocks, or gated blocks with two stacks.

Each has two methods, so that a sampler can do once a row what depends on rows above only:

  above(image, label)           what the rows above say of each row (nothing in the plain network)
  logits(image, above, label)   [B, H, W, C * L]: L for each channel, in order

Both work on whole images, or with `at` on one row and on one pixel (see `nets.causal`). Images are
float32 [B, H, W, C], labels one-hot [B, K] or None. Values are dropped where the networks are given
a stream "dropout", in training that is.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax

from gm_jax.nets.causal import MaskedConv, Place, RowConv, gate
from gm_jax.nets.initializers import Initializer, initial

Array = jax.Array
Above = tuple[Array, ...]


class Details(NamedTuple):
    """What both networks have, and their parts.

    Attributes:
      visible_fan_in: whether masked kernels start by the taps that see something.
      residual_rows: whether a block of the vertical stack adds to what comes in; else a stack of
        gates fades: 7 of them leave 1 % of the signal.
      dropout: probability of dropping a value in each block.
      initializer: of all weights, but those of the label.
      dtype: they compute in.
    """

    visible_fan_in: bool
    residual_rows: bool
    dropout: float
    initializer: Initializer
    dtype: Any

    @property
    def of_masked(self) -> dict[str, Any]:
        """What a masked convolution takes of these."""
        names = ("visible_fan_in", "initializer", "dtype")
        return {name: getattr(self, name) for name in names}


class MaskedNet(nn.Module):
    """PixelCNN (van den Oord et al. 2016a, arXiv:1601.06759, figure 5 and table 1).

    A first convolution with mask A, then residual blocks

      h + conv1x1(relu(conv k x k (relu(conv1x1(relu(h))))))     C -> C / 2 -> C / 2 -> C

    with mask B, `output_layers` 1x1 convolutions, and one to the logits.
    """

    num_outputs: int
    groups: int
    channels: int
    first_kernel: int
    kernel_size: int
    num_blocks: int
    dilations: tuple[int, ...]
    output_layers: int
    details: Details

    def above(self, image: Array, label: Array | None, at: Place | None = None) -> Above:
        return ()

    @nn.compact
    def logits(
        self, image: Array, above: Above, label: Array | None, at: Place | None = None
    ) -> Array:
        style = self.details.of_masked

        def conv(features: int, size: int = 1, dilation: int = 1) -> MaskedConv:
            return MaskedConv(features, (size, size), "B", self.groups, dilation, 1, **style)

        first = (self.first_kernel, self.first_kernel)
        h = MaskedConv(
            self.channels,
            first,
            "A",
            self.groups,
            name="first",
            **style,
        )(image, at)
        for i in range(self.num_blocks):
            dilation = self.dilations[i % len(self.dilations)]
            inner = conv(self.channels // 2)(nn.relu(h))
            inner = told(inner, label)
            inner = conv(self.channels // 2, self.kernel_size, dilation)(nn.relu(inner), at)
            h = h + conv(self.channels)(dropped(self, nn.relu(inner), self.details.dropout))
        for _ in range(self.output_layers):
            h = conv(self.channels)(nn.relu(h))
        return conv(self.num_outputs)(nn.relu(h))

    def __call__(self, image: Array, label: Array | None) -> Array:
        return self.logits(image, self.above(image, label), label)


class GatedNet(nn.Module):
    """Gated PixelCNN (van den Oord et al. 2016b, arXiv:1606.05328, figure 2): no blind spot.

    The vertical stack sees all rows above; the horizontal stack sees what is left of the pixel, and
    the vertical stack's convolution through a 1x1 convolution in each block.
    """

    num_outputs: int
    groups: int
    channels: int
    first_kernel: int
    kernel_size: int
    num_blocks: int
    dilations: tuple[int, ...]
    output_layers: int
    details: Details

    def setup(self) -> None:
        dilations = tuple(self.dilations[i % len(self.dilations)] for i in range(self.num_blocks))
        sizes = (self.channels, self.first_kernel, self.kernel_size, dilations)
        self.vertical = VerticalStack(*sizes, self.details)
        self.horizontal = HorizontalStack(
            *sizes, self.groups, self.output_layers, self.num_outputs, self.details
        )

    def above(self, image: Array, label: Array | None, at: Place | None = None) -> Above:
        features: Above = self.vertical(image, label, at)
        return features

    def logits(
        self, image: Array, above: Above, label: Array | None, at: Place | None = None
    ) -> Array:
        outputs: Array = self.horizontal(image, above, label, at)
        return outputs

    def __call__(self, image: Array, label: Array | None) -> Array:
        return self.logits(image, self.above(image, label), label)


class VerticalStack(nn.Module):
    """What the rows above say to each block of the horizontal stack: [B, H, W, 2 F] each."""

    channels: int
    first_kernel: int
    kernel_size: int
    dilations: tuple[int, ...]
    details: Details

    @nn.compact
    def __call__(self, image: Array, label: Array | None, at: Place | None = None) -> Above:
        width, dtype, name = 2 * self.channels, self.details.dtype, self.details.initializer
        features = []
        rows = max(self.first_kernel // 2, 1)
        first = RowConv(
            self.channels,
            rows,
            self.first_kernel,
            strict=True,
            initializer=name,
            dtype=dtype,
            name="first",
        )
        v = first(image, at)
        for i, dilation in enumerate(self.dilations):
            rows = self.kernel_size // 2 + 1
            conv = RowConv(
                width, rows, self.kernel_size, dilation=dilation, initializer=name, dtype=dtype
            )
            both = conv(v, at)  # [B, H, W, 2 F]
            start = initial(name, width)
            told_by = nn.Dense(width, dtype=dtype, name=f"to_horizontal_{i}", **start)
            features.append(told_by(both))
            gated = gate(told(both, label))
            v = v + gated if self.details.residual_rows else gated
        return tuple(features)


class HorizontalStack(nn.Module):
    """The logits of each pixel, by what is left of it and what the rows above say."""

    channels: int
    first_kernel: int
    kernel_size: int
    dilations: tuple[int, ...]
    groups: int
    output_layers: int
    num_outputs: int
    details: Details

    @nn.compact
    def __call__(
        self, image: Array, above: Above, label: Array | None, at: Place | None = None
    ) -> Array:
        style = self.details.of_masked

        def conv(features: int, width: int = 1, dilation: int = 1, parts: int = 1) -> MaskedConv:
            size = (1, width)
            return MaskedConv(features, size, "B", self.groups, dilation, parts, **style)

        h = MaskedConv(
            self.channels,
            (1, self.first_kernel),
            "A",
            self.groups,
            name="first",
            **style,
        )(image, at)
        for dilation, told_by_rows in zip(self.dilations, above, strict=True):
            both = conv(2 * self.channels, self.kernel_size, dilation, 2)(h, at)  # [B, H, W, 2 F]
            gated = dropped(self, gate(told(both + told_by_rows, label)), self.details.dropout)
            h = h + conv(self.channels)(gated)
        for _ in range(self.output_layers):
            h = conv(self.channels)(nn.relu(h))
        return conv(self.num_outputs)(nn.relu(h))


def told(h: Array, label: Array | None) -> Array:
    """Features [B, ..., F] plus a learned bias for the label [B, K], the same in all places.

    To be called within a compact module.
    """
    if label is None:
        return h
    bias: Any = nn.Dense(h.shape[-1], use_bias=False, dtype=h.dtype)(label)  # [B, F]
    return h + bias.reshape(len(h), *(1,) * (h.ndim - 2), -1)


def dropped(module: nn.Module, h: Array, rate: float) -> Array:
    """Values dropped with probability `rate`, where the module is given a stream for it."""
    if not rate or not module.has_rng("dropout"):
        return h
    return nn.Dropout(rate, deterministic=False)(h)
