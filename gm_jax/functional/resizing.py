"""Resizings of images that differ in a detail, and by which published figures differ.

See Parmar et al. 2022, "On aliased resizing and surprising subtleties in GAN evaluation",
arXiv:2104.11222. All are separable and computed in float32 of at least that precision.
"""

import jax
import jax.numpy as jnp

from gm_jax.functional.dtypes import at_least_float32

Array = jax.Array
Size = tuple[int, int]
"""Height and width."""


def bilinear_tensorflow1(images: Array, size: Size) -> Array:
    """Bilinear as in TensorFlow 1: pixels are points at whole numbers, the first one stays at 0.

      value at i = the line between the pixels next to i * (old size / new size)

    So the picture moves by part of a pixel to the upper left, and pixels are left out where it
    becomes smaller (no antialiasing).

    Args:
      images: [..., H, W, C].
      size: of the result.

    Returns:
      [..., *size, C].
    """
    x = at_least_float32(images)
    # Beyond the last pixel its value goes on.
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [(0, 1), (0, 1), (0, 0)], mode="edge")
    axes, shape = _axes(x), (*x.shape[:-3], *size, x.shape[-1])
    scale = jnp.array([n / old for n, old in zip(size, images.shape[-3:-1], strict=True)])
    # The call takes pixels for areas whose middle is at 1/2.
    shift = 0.5 - 0.5 * scale
    return jax.image.scale_and_translate(x, shape, axes, scale, shift, "linear", antialias=False)


def bilinear_halfpixel(images: Array, size: Size) -> Array:
    """Bilinear without antialiasing, of pixels that are areas.

    That is `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.

    Args:
      images: [..., H, W, C].
      size: of the result.

    Returns:
      [..., *size, C].
    """
    return _resized(images, size, "linear", antialias=False)


def bicubic_antialiased(images: Array, size: Size) -> Array:
    """Bicubic with Keys' kernel (1981, a = -1/2), widened where the image becomes smaller.

    That is Pillow's `resize(..., Image.Resampling.BICUBIC)` of images of floating-point numbers. It
    can leave the range of the values by some percent.

    Args:
      images: [..., H, W, C].
      size: of the result.

    Returns:
      [..., *size, C].
    """
    return _resized(images, size, "cubic", antialias=True)


def _resized(images: Array, size: Size, method: str, antialias: bool) -> Array:
    x = at_least_float32(images)
    return jax.image.resize(x, (*x.shape[:-3], *size, x.shape[-1]), method, antialias=antialias)


def _axes(x: Array) -> tuple[int, int]:
    return x.ndim - 3, x.ndim - 2
