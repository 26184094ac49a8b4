"""Single image files as a run's training data had them."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gm_jax.data.config import AnyData
from gm_jax.data.images.folder import ImageFolder
from gm_jax.data.images.squares import decode_box, open_upright, to_channels
from gm_jax.data.pixels import MODES, to_mode, to_pixels
from gm_jax.data.source import Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import apply_spec
from gm_jax.data.transforms import FixedTransform, Transform, height_width
from gm_jax.errors import ConfigError, UserError

_WHITE = (255, 255, 255)


def read_images(
    paths: Sequence[Path], data: AnyData, spec: DataSpec
) -> tuple[np.ndarray, list[str]]:
    """Image files as a model takes them.

    One of the size the run was trained on stays as it is, its 8-bit values spread over the levels.
    Any other is treated as training treated its own: squares as of a folder, or cut to the middle
    and resized to what the set has stored; then the fixed transforms.

    Args:
      paths: of the files.
      data: that the run was trained on; it need not be there.
      spec: of what the model takes.

    Returns:
      uint8 levels [N, H, W, C], and a line on each file that was changed.

    Raises:
      UserError: for a file that is missing or no image, or one that training could not take.
    """
    if spec.shape[-1] not in MODES:
        raise UserError(
            f"the run was trained on images of {spec.shape[-1]} channels, and image files have 1, "
            "3 or 4: take those of a split"
        )
    images, changed = [], []
    for path in paths:
        image, how = _read(path, data, spec)
        images.append(image)
        if how is not None:
            changed.append(f"{path}: {how}, as in training")
    return np.stack(images), changed


def _read(path: Path, data: AnyData, spec: DataSpec) -> tuple[np.ndarray, str | None]:
    from PIL import Image, UnidentifiedImageError

    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as file:
            size, pixels = file.size, to_pixels(to_mode(file, spec.shape[-1]))
        if pixels.shape[:2] == spec.shape[:2]:
            return _to_levels(pixels, spec.num_levels), None
        image, how = _as_in_training(content, data, spec)
    except FileNotFoundError as error:
        raise UserError(f"there is no image {path}") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder: give image files") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"{path} is no image that can be read ({error})") from error
    except UserError as error:
        raise error.of(path) from error
    return image, f"{size[0]}x{size[1]}, {how}"


def _as_in_training(content: bytes, data: AnyData, spec: DataSpec) -> tuple[np.ndarray, str]:
    """Levels [H, W, C] of an image file of any size, and what was done to it."""
    source = _source(data)
    fixed: list[Transform] = []
    if source is not None:
        fixed = [t for t in data.transforms if isinstance(t, FixedTransform)]
    if isinstance(source, ImageFolder):
        pixels = decode_box(content, source.size, source.crop, source.background)
        height, width = height_width(source.size)
        stored = _stored(DataSpec((height, width, spec.shape[-1])), fixed, spec)
        image = to_channels(pixels, stored.shape[-1])
        part = "the square in the middle" if height == width else "the middle"
        steps = [part if source.crop else "the whole", _to(width, height)]
    else:
        stored = _stored(spec if source is None else source.spec, fixed, spec)
        picture = to_mode(open_upright(content, _WHITE), stored.shape[-1])
        image, steps = to_pixels(picture), []
        if all(stored.shape):  # of one size: cut to its proportions, and resized
            from PIL import Image, ImageOps

            height, width = stored.shape[:2]
            image = to_pixels(ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR))
            steps = ["the middle", _to(width, height)]
    levels = _to_levels(image, stored.num_levels)[None]
    for transform in fixed:
        levels = transform(levels)  # type: ignore[operator]
    known = apply_spec(fixed, stored).num_levels
    if known != spec.num_levels:  # a random transform makes fewer of them
        levels = (levels.astype(np.int64) * spec.num_levels // known).astype(np.uint8)
    return levels[0], ", ".join([*steps, *(type(t).__name__ for t in fixed)])


def _source(data: AnyData) -> Source | None:
    """Where the data came from; None where they are not there to look at."""
    try:
        source = data.source
        if not isinstance(source, ImageFolder):  # of which the config says all
            _ = source.spec
    except UserError:
        return None
    return source


def _stored(stored: DataSpec, fixed: Sequence[Transform], spec: DataSpec) -> DataSpec:
    """What the images were like before the fixed transforms: grey, or in colour.

    Raises:
      UserError: neither becomes what the model takes.
    """
    for channels in dict.fromkeys((stored.shape[-1], spec.shape[-1], 3, 1)):
        before = dataclasses.replace(stored, shape=(*stored.shape[:2], channels))
        try:
            if apply_spec(fixed, before).shape == spec.shape:
                return before
        except ConfigError:
            continue
    height, width, _ = spec.shape
    raise UserError(f"the run was trained on {width}x{height}: resize the image first")


def _to_levels(pixels: np.ndarray, num_levels: int) -> np.ndarray:
    return (pixels.astype(np.int64) * num_levels // 256).astype(np.uint8)


def _to(width: int, height: int) -> str:
    return f"resized to {width}x{height}"
