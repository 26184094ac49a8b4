"""Convolutions that see no later position, over a whole image or one position at a time.

Each has two ways. Without `at` it maps whole inputs, for training and likelihoods. With `at`, the
place that is being drawn, it is given what is new there, keeps it in the collection "cache", and
returns what is new in its output: the same numbers up to rounding, for the price of one column.
Places have to come in raster order, from a cache of zeros, which stand for what lies outside.
"""

from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gm_jax.functional.convolution import conv_general_dilated
from gm_jax.nets.initializers import Initializer, initial

Array = jax.Array
Mask = Literal["A", "B"]


class Place(NamedTuple):
    """Where in an image the network is.

    Attributes:
      row: int32 scalar.
      column: int32 scalar; of no meaning to what works on whole rows.
      width: W, columns of the image.
    """

    row: Array
    column: Array
    width: int


class CausalConv(nn.Module):
    """Dilated convolution over a sequence: output i sees inputs i, i - d, .., i - (k - 1) d.

    [B, D, C] -> [B, D, features]; with `at`, the position, [B, 1, C] -> [B, 1, features]. There a
    ring buffer holds the last (k - 1) d + 1 inputs.
    """

    features: int
    kernel_size: int
    dilation: int = 1
    initializer: Initializer = "lecun_normal"

    @nn.compact
    def __call__(self, x: Array, at: Array | None = None) -> Array:
        k, d, channels = self.kernel_size, self.dilation, x.shape[-1]
        init = initial(self.initializer, k * channels)
        kernel = self.param("kernel", init["kernel_init"], (k, channels, self.features))
        bias = self.param("bias", init["bias_init"], (self.features,))
        reach = (k - 1) * d + 1
        if at is None:
            y = conv_general_dilated(
                x,
                kernel,
                (1,),
                ((reach - 1, 0),),
                rhs_dilation=(d,),
                dimension_numbers=("NWC", "WIO", "NWC"),
            )
            return y + bias.reshape(1, 1, -1)
        ring = self.variable("cache", "ring", jnp.zeros, (reach, len(x), channels), x.dtype)
        ring.value = lax.dynamic_update_index_in_dim(ring.value, x[:, 0], at % reach, 0)
        taps = [_slot(ring.value, at - t * d) for t in reversed(range(k))]  # k of [B, C]
        return _dot(taps, kernel, bias)[:, None]


class MaskedConv(nn.Module):
    """Convolution of an image that sees what comes before in raster order (van den Oord 2016a).

    Each pixel sees the rows above it, and what is left of it. Of the pixel itself, mask B sees all
    and mask A nothing; among several channels the order is kept: channels are in `groups`, one for
    each channel of the image, group g sees the groups before it, and with mask B itself.

    [B, H, W, C] -> [B, H, W, features]; with `at`, mask B maps the new pixel [B, 1, 1, C], and mask
    A the whole image so far, [B, H, W, C], to [B, 1, 1, features]. The kernel has all its taps, the
    masked ones among them, which are never computed with.
    """

    features: int
    kernel_size: tuple[int, int] = (1, 1)
    mask: Mask = "B"
    groups: int = 1
    dilation: int = 1
    parts: int = 1
    """The output is that many arrays side by side, and each has all groups."""
    visible_fan_in: bool = True
    """Whether kernels start by the number of taps that see something, not by that of all taps."""
    initializer: Initializer = "lecun_normal"
    dtype: Any = jnp.float32
    """It computes in; parameters are float32."""

    @nn.compact
    def __call__(self, x: Array, at: Place | None = None) -> Array:
        (height, width), d, channels = self.kernel_size, self.dilation, x.shape[-1]
        shape = (height, width, channels, self.features)
        mask = self._mask(channels)
        init = initial(self.initializer, height * width * channels)
        kernel = self.param("kernel", self._seen_only(init["kernel_init"], mask), shape)
        bias = self.param("bias", init["bias_init"], (self.features,))
        up, left = height // 2, width // 2
        right = left if up else 0  # the row of the pixel itself ends with it
        kernel = kernel[: up + 1, : left + 1 + right] * jnp.asarray(mask)
        x, kernel, bias = (v.astype(self.dtype) for v in (x, kernel, bias))
        if height == width == 1 and self.mask == "B":
            return jnp.dot(x, kernel[0, 0]) + bias.reshape(1, 1, 1, -1)
        if at is None:
            y = conv_general_dilated(
                x,
                kernel,
                (1, 1),
                ((up * d, 0), (left * d, right * d)),
                rhs_dilation=(d, d),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            return y + bias.reshape(1, 1, 1, -1)

        if self.mask == "A":
            # The image is its own cache: its pixel (row, column) is complete only later.
            image = jnp.moveaxis(x, 0, 2)  # [H, W, B, C]
            rows = jnp.pad(image, ((up * d, 0), (left * d, right * d), (0, 0), (0, 0)))
            slots = [at.row + i * d for i in range(up + 1)]
        else:
            # A ring of rows; what a slot holds to the right of the pixel is of an earlier row.
            size = (up * d + 1, at.width + (left + right) * d, len(x), channels)
            ring = self.variable("cache", "rows", jnp.zeros, size, x.dtype)
            zero = jnp.zeros((), jnp.int32)
            start = (at.row % size[0], at.column + left * d, zero, zero)
            ring.value = lax.dynamic_update_slice(ring.value, x.reshape(1, 1, *x.shape[::3]), start)
            rows = ring.value
            slots = [(at.row - i * d) % size[0] for i in reversed(range(up + 1))]
        taps = []
        for i, slot in enumerate(slots):
            num = left + 1 + (right if i < up else 0)
            start = (slot, at.column, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))
            span = lax.dynamic_slice(rows, start, (1, (num - 1) * d + 1, *rows.shape[2:]))
            taps += [span[0, t * d] for t in range(num)]  # [B, C] each
        # In raster order, the taps that see something come first.
        kernel = kernel.reshape(-1, channels, self.features)[: len(taps)]
        return _dot(taps, kernel, bias)[:, None, None]

    def _seen_only(self, kernel_init: Any, mask: np.ndarray) -> Any:
        """An initializer that goes by the fan-in, by what is seen: mask [.., .., C, O]."""
        if not self.visible_fan_in or self.initializer == "normal_002":
            return kernel_init
        seen = np.maximum(mask.sum((0, 1, 2)), 1)  # [O]

        def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
            gain = jnp.asarray(np.sqrt(np.prod(shape[:-1]) / seen), dtype)
            return kernel_init(key, shape, dtype) * gain.reshape(1, 1, 1, -1)

        return init

    def _mask(self, channels: int) -> np.ndarray:
        """Which weights see something, [up + 1, left + 1 + right, C, O]."""
        height, width = self.kernel_size
        up, left = height // 2, width // 2
        mask = np.ones((up + 1, width if up else left + 1, channels, self.features), np.float32)
        mask[up, left + 1 :] = 0
        part = self.features // self.parts
        source = np.arange(channels) * self.groups // channels  # [C]
        target = np.arange(self.features) % part * self.groups // part  # [O]
        before = source[:, None] < target[None]
        mask[up, left] = before if self.mask == "A" else before | (source[:, None] == target[None])
        return mask


class RowConv(nn.Module):
    """Convolution of an image that sees rows above: the vertical stack of a gated PixelCNN.

    The output's row r sees `num_rows` rows of the input that end with r, or with r - 1 where it is
    `strict`, and `width` columns around its own. It has no blind spot: every pixel above is seen.

    [B, H, W, C] -> [B, H, W, features]; with `at`, row r [B, 1, W, C], or if strict the whole image
    so far [B, H, W, C], to [B, 1, W, features].
    """

    features: int
    num_rows: int
    width: int
    strict: bool = False
    dilation: int = 1
    initializer: Initializer = "lecun_normal"
    dtype: Any = jnp.float32
    """It computes in; parameters are float32."""

    @nn.compact
    def __call__(self, x: Array, at: Place | None = None) -> Array:
        d, channels = self.dilation, x.shape[-1]
        shape = (self.num_rows, self.width, channels, self.features)
        init = initial(self.initializer, self.num_rows * self.width * channels)
        kernel = self.param("kernel", init["kernel_init"], shape)
        bias = self.param("bias", init["bias_init"], (self.features,))
        x, kernel, bias = (v.astype(self.dtype) for v in (x, kernel, bias))
        side = self.width // 2 * d
        reach = (self.num_rows - 1) * d + 1
        if at is None:
            above = reach if self.strict else reach - 1
            x = jnp.pad(x[:, :-1] if self.strict else x, ((0, 0), (above, 0), (0, 0), (0, 0)))
            y = conv_general_dilated(
                x,
                kernel,
                (1, 1),
                ((0, 0), (side, side)),
                rhs_dilation=(d, d),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            return y + bias.reshape(1, 1, 1, -1)

        if self.strict:
            padded = jnp.pad(x, ((0, 0), (reach, 0), (0, 0), (0, 0)))
            rows = [
                lax.dynamic_index_in_dim(padded, at.row + i * d, 1, keepdims=False)
                for i in range(self.num_rows)
            ]  # [B, W, C] each
        else:
            size = (reach, len(x), at.width, channels)
            ring = self.variable("cache", "rows", jnp.zeros, size, x.dtype)
            ring.value = lax.dynamic_update_index_in_dim(ring.value, x[:, 0], at.row % reach, 0)
            rows = [_slot(ring.value, at.row - i * d) for i in reversed(range(self.num_rows))]
        taps = []
        for row in rows:
            row = jnp.pad(row, ((0, 0), (side, side), (0, 0)))
            taps += [row[:, t * d : t * d + at.width] for t in range(self.width)]  # [B, W, C] each
        return _dot(taps, kernel.reshape(-1, channels, self.features), bias)[:, None]


def gate(x: Array) -> Array:
    """tanh(a) sigmoid(b) of the halves a, b of the channels: [..., 2 F] -> [..., F]."""
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.tanh(a) * nn.sigmoid(b)


def _slot(ring: Array, i: Array) -> Array:
    """What a ring buffer [R, ...] holds of index i: [...]."""
    slot: Array = lax.dynamic_index_in_dim(ring, i % len(ring), 0, keepdims=False)
    return slot


def _dot(taps: list[Array], kernel: Array, bias: Array) -> Array:
    """What taps of [..., C] give by a kernel [taps, C, O], in one product: [..., O]."""
    y: Any = jnp.dot(jnp.concatenate(taps, -1), kernel.reshape(-1, kernel.shape[-1]))
    return y + bias.reshape((1,) * (y.ndim - 1) + (-1,))
