"""Any image file as a square of pixels."""

import contextlib
import io
import struct
from typing import Any

import numpy as np

from gm_jax.data.pixels import middle

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # no EPS or the like, which can run programs
_WIDE = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # 16 bits of grey


def decode_square(content: bytes, size: int, crop: bool, background: tuple[int, ...]) -> np.ndarray:
    """The image in a file as a square; the first frame where it has several.

    It is turned as its EXIF orientation says. 16 bits become the upper 8.

    Args:
      content: of the file.
      size: height and width of the square.
      crop: cut out the largest square in the middle; else the whole is squeezed.
      background: red, green and blue, 0 .. 255, that shine through where the image is transparent.

    Returns:
      uint8 [size, size, 1] where all pixels are grey, else [size, size, 3].

    Raises:
      Exception: of many kinds, as Pillow's decoders do, where the content is no image or damaged.
    """
    from PIL import Image

    image = open_upright(content, background)
    if crop:
        image = middle(image, min(image.size))
    pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    grey = (pixels == pixels[..., :1]).all()
    return pixels[..., :1] if grey else pixels


def open_upright(content: bytes, background: tuple[int, ...]) -> Any:
    """A Pillow image in colour, turned as its EXIF orientation says; the first frame of several.

    Raises:
      Exception: of many kinds, as Pillow's decoders do, where the content is no image or damaged.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=_FORMATS) as file:
        file.load()
        return _in_colour(_upright(file), background)


def to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Pixels uint8 [H, W, 1] or [H, W, 3] with as many channels as wanted; grey is the luma."""
    from PIL import Image

    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def _upright(image: Any) -> Any:
    from PIL import ImageOps

    # A camera's notes may be garbled where the picture is not.
    with contextlib.suppress(SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error):
        return ImageOps.exif_transpose(image)
    return image


def _in_colour(image: Any, background: tuple[int, ...]) -> Any:
    from PIL import Image

    if image.mode in _WIDE:
        levels = np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8
        image = Image.fromarray(levels.astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(below, image)
    return image.convert("RGB")
