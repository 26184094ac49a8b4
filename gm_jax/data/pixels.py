"""Pillow's images as arrays of pixels with the channels that are wanted."""

from typing import Any

import numpy as np

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""What Pillow calls images of so many channels."""


def to_mode(image: Any, channels: int) -> Any:
    """A Pillow image with so many channels: one of `MODES`."""
    return image.convert(MODES[channels])


def middle(image: Any, side: int) -> Any:
    """The square of this side in the middle of a Pillow image that is no smaller."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def to_pixels(image: Any) -> np.ndarray:
    """A Pillow image of one of `MODES` as uint8 [H, W, C]."""
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)
