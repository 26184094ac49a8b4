"""Pillow's images as arrays of pixels with the channels that are wanted."""

import io
from typing import Any

import numpy as np

from gm_jax.errors import one_line

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""What Pillow calls images of so many channels."""


def to_mode(image: Any, channels: int) -> Any:
    """A Pillow image with so many channels: one of `MODES`."""
    return image.convert(MODES[channels])


def middle(image: Any, height: int, width: int) -> Any:
    """The part of this size in the middle of a Pillow image that is no smaller."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def middle_box(image: Any, height: int, width: int) -> Any:
    """The largest part in the middle of a Pillow image that has the proportions height : width."""
    return middle(image, *largest_box(image.height, image.width, height, width))


def largest_box(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Height and width of the largest box in rows x columns of the proportions height : width."""
    if rows * width <= columns * height:
        return rows, max(1, round(rows * width / height))
    return max(1, round(columns * height / width)), columns


def to_pixels(image: Any) -> np.ndarray:
    """A Pillow image of one of `MODES` as uint8 [H, W, C]."""
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)


def to_png(pixels: np.ndarray) -> bytes:
    """Pixels uint8 [H, W, 1] or [H, W, 3] as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "png")
    return file.getvalue()


def unreadable_reason(error: Exception) -> str:
    """Why an image cannot be read, in a few words, from what a decoder raised."""
    from PIL import UnidentifiedImageError

    return "it is no image" if isinstance(error, UnidentifiedImageError) else one_line(error)
