"""A small picture of a run for the documentation, where the licence of the data allows one."""

import io
from pathlib import Path

from PIL import Image

from gm_jax.data.sequences.moving_mnist import MovingMnist
from gm_jax.data.sequences.synthetic_storms import SyntheticStorms
from gm_jax.data.sets.binarized_mnist import BinarizedMnist
from gm_jax.data.sets.digits import Digits
from gm_jax.data.sets.toy import ToyPoints
from gm_jax.data.source import Source
from gm_jax.data.store.tfds import Tfds
from gm_jax.training.folder import RunFolder
from gm_jax.whole_file import replacing

MOST_BYTES = 60_000
_SHOWN = (Digits, ToyPoints, SyntheticStorms, MovingMnist, BinarizedMnist)
# Not cifar10, whose licence nobody has stated (docs/data.md).
_SHOWN_TFDS = ("mnist",)
# The first that a run has says most about its family.
_STEMS = (
    "final_forecasts",
    "final",
    "final_reconstructions",
    "final_translations",
    "final_density",
)


def may_be_shown(source: Source) -> bool:
    """Whether pictures of these data, or like them, may be given away with the code."""
    if isinstance(source, MovingMnist) and source.test_file is not None:
        return False  # somebody's file
    return isinstance(source, _SHOWN) or (isinstance(source, Tfds) and source.name in _SHOWN_TFDS)


def make_picture(folder: Path, out: Path) -> bool:
    """Writes the picture of a run, if it may be shown and there is one; else takes an old one away.

    Args:
      folder: of the run.
      out: the PNG.
    """
    experiment, _ = RunFolder(folder).load()
    found = telling_picture(RunFolder(folder).samples)
    if found is None or not may_be_shown(experiment.data.source):
        out.unlink(missing_ok=True)
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as aside:
        aside.write_bytes(small_png(found))
    return True


def telling_picture(samples: Path) -> Path | None:
    """The picture of a run's folder samples/ that shows best what it learned."""
    found = (samples / f"{stem}.png" for stem in _STEMS)
    return next((path for path in found if path.exists()), None)


def small_png(path: Path) -> bytes:
    """A picture as PNG of at most `MOST_BYTES`: in fewer colours, and smaller if need be."""
    with Image.open(path) as opened:
        image = opened.convert("RGB" if opened.mode not in ("L", "1") else "L")
    while True:
        for colors in (256, 64, 16):
            data = _encode(image, colors)
            if len(data) <= MOST_BYTES:
                return data
        width, height = (max(1, side * 4 // 5) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)


def _encode(image: Image.Image, colors: int) -> bytes:
    out = io.BytesIO()
    image.quantize(colors, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
