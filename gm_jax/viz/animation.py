"""Pictures one after the other: as a GIF that repeats, or as a video."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm_jax.errors import UserError
from gm_jax.viz.style import caption
from gm_jax.viz.video import check_video, save_video
from gm_jax.whole_file import replacing

ENDINGS = (".gif", ".mp4")
HOLD = 5  # where a movement ends, its picture stays this many times as long
_PALETTE_FRAMES = 16  # as many frames, evenly spread, say which colors the palette has


def check_animation(out: Path) -> None:
    """Looks, before anything is computed, whether an animation of this ending can be made.

    Raises:
      UserError: for a video where ffmpeg is missing.
    """
    if out.suffix == ".mp4":
        check_video(out)


def animate_pictures(
    pictures: Sequence[Path],
    out: Path,
    seconds: float = 0.3,
    captions: Sequence[str] | None = None,
) -> None:
    """Shows pictures in their order, the last one five times as long; whole or not at all.

    Args:
      pictures: image files, one or more; those of another size than the last are enlarged or
        reduced to it.
      out: the .gif or .mp4 to write.
      seconds: how long each is shown.
      captions: a line below each, such as its step.

    Raises:
      ValueError: where there are no pictures.
      UserError: where a picture can't be read, or as `save_animation`.
      OSError: where `out` cannot be written.
    """
    if not pictures:
        raise ValueError("an animation needs at least one picture")
    durations = [seconds] * (len(pictures) - 1) + [HOLD * seconds]
    frames = _read(pictures)
    if captions is not None:
        frames = [caption(f, text) for f, text in zip(frames, captions, strict=True)]
    save_animation(out, frames, durations)


def save_animation(out: Path, frames: Sequence[np.ndarray], seconds: Sequence[float]) -> None:
    """Writes frames as an animation that repeats; whole or not at all.

    Args:
      out: a .gif (colors: 256 for all frames together; grey stays exact), or else a video.
      frames: uint8 [H, W, 1 or 3] each, of one shape.
      seconds: how long each is shown; a GIF counts in hundredths.

    Raises:
      UserError: where a video is wanted and ffmpeg is missing, or fails.
      OSError: where the folder is missing or cannot be written.
    """
    if out.suffix != ".gif":
        return save_video(out, frames, seconds)
    first, *others = _in_one_palette(frames)
    with replacing(out) as aside:
        first.save(
            aside,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=[round(1000 * s) for s in seconds],
            loop=0,
        )


def there_and_back(
    frames: Sequence[np.ndarray], seconds: float
) -> tuple[list[np.ndarray], list[float]]:
    """Frames forwards, then backwards without the two ends, and how long to show each.

    Repeated, they move to and fro without a jump; both ends stay five times as long.
    """
    there = [HOLD * seconds, *[seconds] * (len(frames) - 2), HOLD * seconds]
    return [*frames, *frames[-2:0:-1]], [*there, *there[-2:0:-1]]


def _read(pictures: Sequence[Path]) -> list[np.ndarray]:
    """uint8 [H, W, 1 or 3] of each, all of the last one's size and kind."""
    from PIL import Image

    images = []
    for path in pictures:
        try:
            with Image.open(path) as file:
                images.append(file.convert("L" if file.mode == "L" else "RGB"))
        except (OSError, SyntaxError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise UserError(f"{path} is no picture that can be read: remove it") from error
    size = images[-1].size
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    near = Image.Resampling.NEAREST
    images = [image if image.size == size else image.resize(size, near) for image in images]
    return [np.asarray(image.convert(mode)).reshape(*size[::-1], -1) for image in images]


def _in_one_palette(frames: Sequence[np.ndarray]) -> list[Any]:
    """The frames as images that share a palette, without dithering: still areas stay still."""
    from PIL import Image

    if frames[0].shape[-1] == 1:
        return [Image.fromarray(frame[..., 0]) for frame in frames]
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), _PALETTE_FRAMES)).round().astype(int)
    shown = Image.fromarray(np.concatenate([frames[i] for i in chosen]))
    palette = shown.quantize(256, method=Image.Quantize.FASTOCTREE)
    return [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
