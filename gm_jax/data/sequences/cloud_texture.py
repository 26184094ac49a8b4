"""Cloud texture: octaves of band-limited noise, looked up at any place.

All octaves read the same few tables, each at its own scale and its own place in them; so a texture
is a function of a place and of whole numbers, and nothing has to be kept.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from gm_jax.rng import numpy_generator

_SIDE = 512  # texels of a table; a power of two
_WAVES = 32  # of the band's middle along a side: 16 texels each, enough for lines between
_BAND = 0.4  # standard deviation of the band, in octaves
_TABLES = 4

LOWEST = 1.5
"""Waves of the lowest octave in a picture's width of 2."""
NUM_OCTAVES = 7
"""The highest has 96 waves in a picture: 366 pixels can show 183."""


@functools.cache
def _tables() -> np.ndarray:
    """Noise of one band with mean 0 and variance 1, periodic, complex128 [tables * side * side].

    A texel is four float32 in the bits of one complex number, of which NumPy gathers one as fast as
    it gathers a float: its value, what it changes by to the right, and downwards, and by both.
    """
    waves = np.fft.fftfreq(_SIDE, 1 / _SIDE)
    octave = np.log2(np.maximum(np.hypot(waves[:, None], waves), 1e-3) / _WAVES)
    band = np.exp(-((octave / _BAND) ** 2) / 2)
    white = numpy_generator(0, "cloud_texture").standard_normal((_TABLES, _SIDE, _SIDE))
    noise = np.fft.ifft2(np.fft.fft2(white) * band).real
    noise /= noise.std((1, 2), keepdims=True)
    right, below = (np.roll(noise, -1, axis) - noise for axis in (2, 1))
    both = np.roll(right, -1, 1) - right
    texels = np.stack([noise, right, below, both], -1).astype(np.float32)
    return np.ascontiguousarray(texels).view(np.complex128).reshape(-1)


def texture(
    x: np.ndarray,
    y: np.ndarray,
    places: np.ndarray,
    amplitudes: Sequence[np.ndarray | float],
) -> np.ndarray:
    """A sum of octaves of noise; the number 0 comes out where all amplitudes are 0.

    Args:
      x: float32 [S, T, H, W], in half widths of a picture; |x| < 40.
      y: likewise.
      places: uint32 [S, T]: textures of other numbers have nothing in common.
      amplitudes: standard deviation of each octave, from the lowest on; numbers, or arrays that
        broadcast against x.

    Returns:
      float32 [S, T, H, W].
    """
    total = np.zeros(np.broadcast_shapes(x.shape, (*places.shape, 1, 1)), np.float32)
    for octave, amplitude in enumerate(amplitudes):
        if np.any(amplitude):
            number = mixed(places, octave)[..., None, None]
            total += amplitude * _octave(x, y, number, LOWEST * 2**octave)
    return total


def _octave(x: np.ndarray, y: np.ndarray, number: np.ndarray, waves: float) -> np.ndarray:
    """Noise with so many waves in a width of 2, by bilinear interpolation."""
    mask = _SIDE - 1
    # Texels from the corner of the table; a whole number of tables more, so that none is negative.
    scale = np.float32(waves * _SIDE / _WAVES / 2)
    ahead = _SIDE * np.ceil(40 * scale / _SIDE)
    u = x * scale + ((number & mask).astype(np.float32) + np.float32(ahead))
    v = y * scale + ((number >> 9 & mask).astype(np.float32) + np.float32(ahead))
    column, row = u.astype(np.int32), v.astype(np.int32)
    u -= column.astype(np.float32)
    v -= row.astype(np.float32)
    column &= mask
    row &= mask
    row *= _SIDE
    row += column
    row += (number >> 18 & (_TABLES - 1)).astype(np.int32) * _SIDE**2
    texel = _tables().take(row).view(np.float32).reshape(*row.shape, 4)
    v *= texel[..., 2] + u * texel[..., 3]
    u *= texel[..., 1]
    v += u
    v += texel[..., 0]
    return v


def mixed(*numbers: np.ndarray | int) -> np.ndarray:
    """Whole numbers made one, whose bits are as if drawn at random (the finalizer of MurmurHash3).

    Args:
      numbers: integers that broadcast against each other.

    Returns:
      uint32 of the common shape.
    """
    found: Any = np.uint32(0x9E3779B9)
    with np.errstate(over="ignore"):
        for number in numbers:
            found = found ^ (np.asarray(number).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
            found = (found ^ (found >> np.uint32(16))) * np.uint32(0x85EBCA6B)
            found = (found ^ (found >> np.uint32(13))) * np.uint32(0xC2B2AE35)
            found = found ^ (found >> np.uint32(16))
    return np.asarray(found)


def visible(waves: np.ndarray | float, size: int) -> np.ndarray:
    """How much of an octave so many pixels can show: 1 below half of what they could, 0 above.

    Args:
      waves: of the octave, in a picture.
      size: of the picture, pixels.

    Returns:
      float32 in [0, 1], of the shape of `waves`.
    """
    share = np.asarray(waves, np.float32) / np.float32(size / 2)
    fall = np.clip((np.float32(1.25) - share) / np.float32(0.75), 0, 1)
    return fall * fall * (3 - 2 * fall)
