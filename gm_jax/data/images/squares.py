"""Any image file as pixels of one size."""

import contextlib
import io
import struct
from typing import Any

import numpy as np

from gm_jax.data.pixels import middle_box
from gm_jax.data.transforms import height_width

# No EPS or the like, which can run programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_WIDE = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # 16 bits of grey


_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS = 258  # the tag of TIFF for the bits of a value


def decode_box(
    content: bytes, size: int | tuple[int, int], crop: bool, background: tuple[int, ...]
) -> np.ndarray:
    """The image in a file at one size; the first frame or page where it has several.

    It is turned as its EXIF orientation says. 16 bits become the upper 8.

    Args:
      content: of the file.
      size: height and width, or one number for both.
      crop: cut out the largest part in the middle that has their proportions, such as a square;
        else the whole is squeezed.
      background: red, green and blue, 0 .. 255, that shine through where the image is transparent.

    Returns:
      uint8 [H, W, 1] where all pixels are grey, else [H, W, 3].

    Raises:
      Exception: of many kinds, as Pillow's decoders do, where the content is no image or damaged.
    """
    from PIL import Image

    height, width = height_width(size)
    image = open_upright(content, background)
    if crop:
        image = middle_box(image, height, width)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    grey = (pixels == pixels[..., :1]).all()
    return pixels[..., :1] if grey else pixels


def open_upright(content: bytes, background: tuple[int, ...]) -> Any:
    """A Pillow image in colour, turned as its EXIF orientation says; the first frame of several.

    Raises:
      Exception: of many kinds, as Pillow's decoders do, where the content is no image or damaged.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=_FORMATS) as file:
        if file.mode == "F" or _bits(file) > 16:
            raise ValueError("its values have more than 16 bits: write 8 or 16")
        file.load()
        return _in_colour(_upright(file), background)


def has_16_bits(content: bytes) -> bool:
    """Whether an image file, which can be read, has values of more than 8 bits."""
    from PIL import Image

    if content.startswith(_PNG):
        return content[24] == 16  # of the header, which is the first part of every PNG
    if not content.startswith(_TIFF):
        return False
    with Image.open(io.BytesIO(content), formats=_FORMATS) as file:
        return _bits(file) > 8


def _bits(file: Any) -> int:
    """The most bits of a value in a TIFF; 8 of other files."""
    tags = getattr(file, "tag_v2", {}) if file.format == "TIFF" else {}
    return max(tags.get(_BITS, (8,)))


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
