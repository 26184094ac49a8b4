"""Grids of images as one picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gm_jax.whole_file import replacing

_CELL = 48  # pixels: smaller images are enlarged to about this
_GREY = 128  # of lines between images
_DARK = 64  # of lines between the channels of an image


def to_pixels(levels: np.ndarray, num_levels: int) -> np.ndarray:
    """Levels 0 .. num_levels - 1 as uint8 0 .. 255."""
    return np.round(np.asarray(levels).astype(np.float32) * (255 / (num_levels - 1))).astype(
        np.uint8
    )


def unit_to_pixels(x: np.ndarray) -> np.ndarray:
    """Values, clipped to [0, 1], as uint8 0 .. 255, which are 256 levels."""
    return np.round(np.clip(np.asarray(x, np.float32), 0, 1) * 255).astype(np.uint8)


def image_grid(
    levels: np.ndarray, num_levels: int, num_columns: int | None = None, scale: int | None = None
) -> np.ndarray:
    """Images in rows, with lines of 2 pixels between them.

    Args:
      levels: uint8 [N, H, W, C]; other than 1 or 3 channels are shown as `channel_panels`.
      num_levels: the levels are 0 .. num_levels - 1.
      num_columns: images a row; None: as many as rows, about.
      scale: each pixel becomes scale x scale; None: small images are enlarged to be seen.

    Returns:
      uint8 [H', W', 3], or [H', W', 1].

    Raises:
      ValueError: for no images.
    """
    if np.ndim(levels) != 4 or 0 in np.shape(levels):
        raise ValueError(f"a grid needs images [N, H, W, C], not {list(np.shape(levels))}")
    pixels = to_pixels(levels, num_levels)
    scale = max(1, round(_CELL / max(pixels.shape[1:3]))) if scale is None else scale
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    if pixels.shape[-1] not in (1, 3):
        pixels = channel_panels(pixels)
    num, height, width, channels = pixels.shape
    columns = num_columns or int(np.ceil(np.sqrt(num)))
    rows = -(-num // columns)
    gap = 2
    grid = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), _GREY, np.uint8
    )
    for i, image in enumerate(pixels):
        row, column = divmod(i, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def channel_panels(pixels: np.ndarray) -> np.ndarray:
    """Each channel of an image as a grey panel, in rows, with dark lines of a pixel between them.

    Args:
      pixels: uint8 [N, H, W, C].

    Returns:
      uint8 [N, H', W', 1], with ceil(sqrt(C)) panels a row.
    """
    num, height, width, channels = pixels.shape
    columns = int(np.ceil(np.sqrt(channels)))
    rows = -(-channels // columns)
    size = (rows * (height + 1) - 1, columns * (width + 1) - 1)
    sheet = np.full((num, *size, 1), _DARK, np.uint8)
    for channel in range(channels):
        row, column = divmod(channel, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[:, top : top + height, left : left + width, 0] = pixels[..., channel]
    return sheet


def side_by_side(rows: Sequence[np.ndarray], num_levels: int) -> np.ndarray:
    """One grid row for each array of images [N, H, W, C]: originals above reconstructions.

    Raises:
      ValueError: where the arrays hold different numbers of images.
    """
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"rows of {[len(row) for row in rows]} images do not line up")
    return image_grid(np.concatenate(rows), num_levels, num_columns=len(rows[0]))


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8 [H, W, 1 or 3] as PNG, whole or not at all.

    Raises:
      OSError: where the folder is missing or cannot be written.
    """
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with replacing(path) as aside:
        image.save(aside, format="PNG")
