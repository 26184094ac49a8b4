"""How pictures changed while training, as one animated GIF."""

from collections.abc import Sequence
from pathlib import Path

from gm_jax.whole_file import replacing

_HOLD = 5  # the last picture stays this many times as long


def progress_gif(pictures: Sequence[Path], out: Path, seconds: float = 0.3) -> None:
    """Writes pictures, in their order, as a GIF that repeats; whole or not at all.

    Args:
      pictures: PNG files, one or more; those of another size than the last are enlarged or reduced
        to it.
      out: the GIF to write.
      seconds: how long each is shown (the last one five times as long).

    Raises:
      ValueError: where there are no pictures.
      OSError: where a picture cannot be read or `out` not be written.
    """
    from PIL import Image

    if not pictures:
        raise ValueError("an animation needs at least one picture")
    frames = []
    for path in pictures:
        with Image.open(path) as image:
            frames.append(image.convert("RGB"))
    size = frames[-1].size
    frames = [f if f.size == size else f.resize(size, Image.Resampling.NEAREST) for f in frames]
    milliseconds = round(1000 * seconds)
    with replacing(out) as aside:
        frames[0].save(
            aside,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=[milliseconds] * (len(frames) - 1) + [_HOLD * milliseconds],
            loop=0,
        )
