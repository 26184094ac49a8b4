"""Samples of any number in a folder: PNG files, or .npz shards; what is whole is not drawn again.

  samples.json      what they are: seed, step, digest of the weights, and so on
  000000.png, ...   an image each, with levels spread over 0 to 255
  shard_00000.npz   or a chunk each (`gm_jax.drawing`): image [n, H, W, C], levels or points; label
                    [n] of a conditional family; num_levels

Each file is there whole or not at all. One chunk is held in memory at a time.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gm_jax.drawing import chunk_size, draw_chunks
from gm_jax.errors import UserError
from gm_jax.labels import labels_to_draw
from gm_jax.model import Family, TrainState, require
from gm_jax.viz.grids import save_png, to_pixels
from gm_jax.whole_file import replacing, write_text

Format = Literal["png", "npz"]

ABOUT = "samples.json"
"""The file that says what a folder's samples are."""


@dataclasses.dataclass(frozen=True)
class SampleFolder:
    """Where samples of one draw lie.

    Attributes:
      path: of the folder.
      kind: of its files.
      size: images of a chunk.
    """

    path: Path
    kind: Format
    size: int

    def claim(self, about: Mapping[str, Any]) -> None:
        """Makes the folder ready for this draw, or to go on with it.

        Args:
          about: what is drawn: plain values.

        Raises:
          UserError: it holds another draw, or something else.
        """
        whole = {"format": self.kind, "chunk": self.size, **about}
        file = self.path / ABOUT
        if file.exists():
            self._check_same(file, whole)
            return
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file: give a folder", "--out")
        if self.path.is_dir() and any(not p.name.startswith(".") for p in self.path.iterdir()):
            raise UserError(
                f"{self.path} is not empty and holds no samples: give another folder", "--out"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(whole, indent=2) + "\n")

    def names(self, start: int, end: int) -> list[str]:
        """The files of the images of a chunk."""
        if self.kind == "npz":
            return [f"shard_{start // self.size:05d}.npz"]
        return [f"{i:06d}.png" for i in range(start, end)]

    def write(self, start: int, image: np.ndarray, **more: Any) -> None:
        """Writes the images of a chunk, levels [n, H, W, C], and arrays beside them."""
        names = self.names(start, start + len(image))
        if self.kind == "npz":
            with replacing(self.path / names[0]) as aside:
                np.savez_compressed(aside, image=image, **more)
            return
        for name, pixels in zip(names, to_pixels(image, more["num_levels"]), strict=True):
            save_png(self.path / name, pixels)

    def _check_same(self, file: Path, about: Mapping[str, Any]) -> None:
        try:
            there = json.loads(file.read_text())
            other = next((n for n in about if there.get(n) != about[n]), None)
        except (ValueError, AttributeError):
            raise UserError(
                f"{file} does not say what the samples beside it are: give another folder", "--out"
            ) from None
        if other is not None:
            raise UserError(
                f"{self.path} holds samples of another draw: {other} is {there.get(other)} there "
                f"and {about[other]} here; give another folder",
                "--out",
            )


def fill(
    folder: Path,
    model: Family,
    state: TrainState,
    num: int,
    seed: int,
    condition: np.ndarray | None,
    kind: Format | None,
    about: Mapping[str, Any],
    watch: Callable[[int], None],
) -> int:
    """Draws what is not there yet of `num` samples.

    Args:
      folder: to make, or to go on with.
      model: the family, as it draws.
      state: of it.
      num: samples in all.
      seed: of the draw.
      condition: labels int32 [num], or None.
      kind: of the files; None: png, of points npz.
      about: further plain values that say what is drawn.
      watch: is told how many are there, chunk by chunk.

    Returns:
      How many of them were drawn now.

    Raises:
      UserError: what can't be drawn, or images that PNG can't hold; or a folder of something else.
    """
    spec = state.spec
    require(model, spec, "sample")
    kind = kind or ("npz" if spec.continuous else "png")
    if kind == "png" and (spec.continuous or spec.shape[-1] not in (1, 3)):
        what = "points" if spec.continuous else f"images of {spec.shape[-1]} channels"
        raise UserError(f"PNG files can't hold {what}: take npz", "--format npz")
    if num < 1:
        raise UserError(f"the number of images must be at least 1, not {num}")
    place = SampleFolder(folder, kind, chunk_size(spec))
    labels = condition
    if model.conditional and condition is None:
        labels = np.asarray(labels_to_draw(None, num, spec))
    place.claim({"seed": seed, "num_levels": spec.num_levels, **about})
    there = {path.name for path in folder.iterdir()}

    def is_missing(start: int, end: int) -> bool:
        watch(start)
        return not there.issuperset(place.names(start, end))

    # Of a shard that was cut off at another number, only its length tells.
    if kind == "npz":
        there -= _shorter(place, num)
    drawn = 0
    for start, image in draw_chunks(
        model, state, "sample", num, seed, condition, wanted=is_missing
    ):
        more: dict[str, Any] = {} if spec.continuous else {"num_levels": spec.num_levels}
        if labels is not None:
            more["label"] = labels[start : start + len(image)]
        place.write(start, image, **more)
        drawn += len(image)
    watch(num)
    return drawn


def _shorter(place: SampleFolder, num: int) -> set[str]:
    """Shards of a smaller number of samples: the last one of then, not filled."""
    found = set()
    for start in range(0, num, place.size):
        (name,) = place.names(start, num)
        path = place.path / name
        if path.exists():
            with np.load(path) as shard:
                if len(shard["image"]) < min(place.size, num - start):
                    found.add(name)
    return found
