"""Single image files as levels that a model of a given spec takes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gm_jax.data.pixels import to_mode, to_pixels
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError


def read_images(paths: Sequence[Path], spec: DataSpec) -> np.ndarray:
    """uint8 levels [N, H, W, C] of image files; 8-bit values are spread over spec.num_levels.

    Raises:
      UserError: for a file that is missing or no image, or an image of another size.
    """
    from PIL import Image, UnidentifiedImageError

    height, width, channels = spec.shape
    images = []
    for path in paths:
        try:
            with Image.open(path) as file:
                image = to_pixels(to_mode(file, channels))
        except FileNotFoundError as error:
            raise UserError(f"there is no image {path}") from error
        except IsADirectoryError as error:
            raise UserError(f"{path} is a folder: give image files") from error
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise UserError(f"{path} is no image that can be read ({error})") from error
        if image.shape[:2] != (height, width):
            raise UserError(
                f"{path} is {image.shape[1]}x{image.shape[0]}, but the run was trained on "
                f"{width}x{height}: resize it first"
            )
        images.append(image)
    levels = np.stack(images).astype(np.int64) * spec.num_levels // 256
    return levels.astype(np.uint8)
