"""The frames of storms as arrays of one size."""

import pathlib
from typing import NamedTuple

import numpy as np

from gm_jax.data.pixels import middle, middle_box, to_mode, to_pixels, unreadable_reason
from gm_jax.data.sequences.storm_files import Storm, StormFiles
from gm_jax.data.transforms import height_width
from gm_jax.errors import UserError


class Cut(NamedTuple):
    """What is made of every frame.

    Attributes:
      size: height and width it gets, or one number for both; None: it stays as large as it is.
      crop: height and width of the part in the middle that is kept, or one number for both; None:
        all of it, or where it is resized the largest part of the proportions of the size.
      channels: 1 grey, 3 colour.
    """

    size: int | tuple[int, int] | None = None
    crop: int | tuple[int, int] | None = None
    channels: int = 1


class StormFrames(NamedTuple):
    """One storm in memory.

    Attributes:
      id: of the storm.
      frames: uint8 [T, H, W, C].
      times: seconds, increasing, [T].
    """

    id: str
    frames: np.ndarray
    times: np.ndarray


def decode_frame(path: pathlib.Path, cut: Cut) -> np.ndarray:
    """The frame in an image file, uint8 [H, W, C].

    Raises:
      UserError: it cannot be read, or is smaller than the part to keep.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG", "PNG")) as file:
            image = to_mode(file, cut.channels)
    except Exception as error:  # whatever a decoder makes of damaged bytes
        reason = getattr(error, "strerror", None) or unreadable_reason(error)
        raise UserError(f"{path} cannot be read ({reason}): mend it") from error
    if cut.crop is not None:
        height, width = height_width(cut.crop)
        if height > image.height or width > image.width:
            crop = cut.crop if isinstance(cut.crop, int) else f"{width}x{height}"
            raise UserError(f"crop {crop} is larger than {path}, {image.width}x{image.height}")
        image = middle(image, height, width)
    elif cut.size is not None:
        image = middle_box(image, *height_width(cut.size))
    if cut.size is not None:
        height, width = height_width(cut.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return to_pixels(image)


def check_same_size(
    first: tuple[pathlib.Path, np.ndarray], other: tuple[pathlib.Path, np.ndarray]
) -> None:
    """Raises UserError unless two frames are of one size."""
    if first[1].shape != other[1].shape:
        (path, frame), (other_path, other_frame) = first, other
        raise UserError(
            f"the images differ in size: {path} is {frame.shape[1]}x{frame.shape[0]}, {other_path} "
            f"is {other_frame.shape[1]}x{other_frame.shape[0]}; give a size"
        )


def read_storm(folder: pathlib.Path, storm: Storm, cut: Cut) -> StormFrames:
    """One storm of a folder, all its frames in memory.

    Args:
      folder: that its files lie in.
      storm: of the folder.
      cut: what is made of the frames.

    Raises:
      UserError: a frame cannot be read, or they differ in size.
    """
    paths = [folder / name for name in storm.names]
    frames = [decode_frame(path, cut) for path in paths]
    for other in zip(paths, frames, strict=True):
        check_same_size((paths[0], frames[0]), other)
    return StormFrames(storm.id, np.stack(frames), np.array(storm.times))


def read_storms(path: pathlib.Path | str, cut: Cut | None = None) -> list[StormFrames]:
    """Every storm of a folder, all frames in memory: for a look, or to start a forecast from.

    Args:
      path: of a folder as `Storms` takes it.
      cut: what is made of the frames; nothing unless given.

    Raises:
      UserError: as `Storms`, where the files make no sense.
    """
    files = StormFiles(pathlib.Path(path).expanduser())
    return [read_storm(files.path, storm, cut or Cut()) for storm in files.read()]
