"""Folders of satellite images of storms, taken at irregular times, as a source."""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec, split_groups
from gm_jax.data.sequences.storm_files import Storm, StormFiles
from gm_jax.data.sequences.storm_frames import Cut
from gm_jax.data.sequences.storm_preparation import PreparedStorms, prepare_storms
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec, Extra
from gm_jax.data.store.making import preparation_folder, preparation_name, remove_others
from gm_jax.data.store.name_splits import SPLITS
from gm_jax.data.store.places import cache_dir, find_path, short_path
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import (
    UserError,
    check_parts,
    check_positive,
)

_FORMAT = 1  # goes up when the same files give other frames than before


@dataclasses.dataclass(frozen=True)
class Storms(Source):
    """Windows of N known and M wanted frames of storms: `<storm>_<NNN>.jpg` with json files.

    Each image has a `_features.json` beside it (`relative_time` in seconds, `storm_id`) and may
    have a `_label.json` (`wind_speed` in knots); values may be text. Any number of storms lie in
    one folder, or each in a folder of its own. A storm's frames are sorted by time, and all its
    windows lie in one split: "train", "validation" (also "valid") or "test"; "all" is every storm.

    "image" uint8 [M, H, W, C], "context" uint8 [N, H, W, C], "context_time" float32 [N] and "time"
    float32 [M], in seconds since the last context frame; where every storm has labels, "wind_speed"
    float32 [N], knots. The frames are prepared when they are first read, and again when the files
    have changed.
    """

    path: pathlib.Path | str
    """Of the folder: from the working folder, or else from a data folder."""
    context: int = 4
    """Known frames of an example, N."""
    targets: int = 3
    """Wanted frames of an example, M."""
    size: int | None = None
    """Height and width the frames get (None: they stay as they are, and have to be of one size)."""
    crop: int | None = None
    """Side of the square in the middle that is kept, before it is resized (None: the largest)."""
    channels: Literal[1, 3] = 1
    """1: grey, 3: colour."""
    stride: int = 1
    """Frames between the beginnings of two windows of a storm."""
    valid_fraction: float = 0.10
    """Of the storms, for the split validation."""
    test_fraction: float = 0.10
    """Of the storms, for the split test."""
    short: Literal["skip", "stop"] = "stop"
    """What is done about a storm shorter than a window: it is left out, or it is an error."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        check_positive(self, "context", "targets", "size", "crop", "stride")
        check_parts(self, "valid_fraction", "test_fraction")

    @property
    def spec(self) -> DataSpec:
        return self._spec(self._prepared())

    def open(self, split: str) -> Examples:
        prepared = self._prepared()
        windows = self._windows(prepared)
        sizes = {name: len(starts) for name, starts in windows.items()}
        parts = split_indices(split, sizes)
        starts = np.concatenate([windows[name][indices] for name, indices in parts])
        winds = any(extra.name == "wind_speed" for extra in self._spec(prepared).extras)
        return _Windows(prepared, starts, self.context, self.targets, winds)

    def summary(self) -> str:
        """One line: how many storms and frames, and how many windows each split has."""
        prepared = self._prepared()
        windows = self._windows(prepared)
        storms, frames = len(prepared.storms), sum(map(len, prepared.storms))
        height, width, _ = prepared.shape
        sizes = " / ".join(f"{len(windows[s]):,} {s}" for s in SPLITS if s in windows)
        return (
            f"{short_path(find_path(self.path))}: {storms:,} {'storm' if storms == 1 else 'storms'}"
            f", {frames:,} frames of {width}x{height}; "
            f"windows of {self.context} + {self.targets}: {sizes}"
        )

    @property
    def cut(self) -> Cut:
        """What is made of every frame."""
        return Cut(self.size, self.crop, self.channels)

    def _prepared(self) -> PreparedStorms:
        """The preparation of the files as they are now; made if there is none."""
        path = find_path(self.path)
        files = StormFiles(path)
        cut = self.cut
        name = preparation_name(path, _FORMAT, cut, files.fingerprint)
        beside = path.resolve().parent / ".gm_jax"
        folders = [folder / "storms" / name for folder in (beside, cache_dir())]
        target = next((f for f in folders if PreparedStorms.exists(f)), None)
        if target is None:
            storms = files.read()
            self._usable(storms)  # before minutes of work
            target = preparation_folder(beside) / "storms" / name
            prepare_storms(path, storms, cut, target)
            remove_others(target)
        return PreparedStorms(target)

    def _usable(self, storms: Sequence[Storm]) -> list[Storm]:
        """The storms that are as long as a window.

        Raises:
          UserError: there is none, or one is shorter and `short` is "stop".
        """
        length = self.context + self.targets
        usable = [storm for storm in storms if len(storm) >= length]
        if len(usable) < len(storms) and (self.short == "stop" or not usable):
            worst = min(storms, key=len)
            frames = "1 frame" if len(worst) == 1 else f"{len(worst)} frames"
            hint = ", or leave it out with short skip" if usable else ""
            raise UserError(
                f"storm {worst.id} in {self.path} has {frames}, but "
                f"a window takes {self.context} + {self.targets}: take fewer{hint}"
            )
        return usable

    def _spec(self, prepared: PreparedStorms) -> DataSpec:
        wind = Extra("wind_speed", (self.context,))
        labelled = all(storm.winds for storm in self._usable(prepared.storms))
        further = (wind,) if labelled else ()
        return forecast_spec(prepared.shape, self.context, self.targets, further)

    def _windows(self, prepared: PreparedStorms) -> dict[str, np.ndarray]:
        """Where the windows of each split begin, among all frames."""
        usable = self._usable(prepared.storms)
        ids = [storm.id for storm in usable]
        members = split_groups(ids, self.valid_fraction, self.test_fraction)
        length = self.context + self.targets
        starts, offset = {}, 0
        for storm in prepared.storms:
            last = offset + len(storm) - length
            starts[storm.id] = np.arange(offset, last + 1, self.stride)
            offset += len(storm)
        return {
            split: np.concatenate([starts[storm] for storm in found])
            for split, found in members.items()
        }


class _Windows(Examples):
    """Windows of prepared storms."""

    def __init__(
        self, prepared: PreparedStorms, starts: np.ndarray, context: int, targets: int, winds: bool
    ):
        self._prepared, self._starts, self._context = prepared, starts, context
        self._length = context + targets
        self._times = np.concatenate([np.array(storm.times) for storm in prepared.storms])
        self._winds = None
        if winds:
            nothing = [
                np.full(len(s), np.nan) if s.winds is None else s.winds for s in prepared.storms
            ]
            self._winds = np.concatenate(nothing).astype(np.float32)

    def __len__(self) -> int:
        return len(self._starts)

    def groups(self) -> np.ndarray:
        """The number of each window's storm."""
        ends = np.cumsum([len(storm) for storm in self._prepared.storms])
        return np.searchsorted(ends, self._starts, side="right")

    def take(self, indices: Sequence[int]) -> list[Example]:
        numbers = self._starts[np.asarray(indices, int), None] + np.arange(self._length)
        # Windows overlap: each frame is decoded once.
        unique, places = np.unique(numbers, return_inverse=True)
        frames = self._prepared.frames(unique.tolist())
        return [
            self._example(frames[place], window)
            for place, window in zip(places.reshape(numbers.shape), numbers, strict=True)
        ]

    def _example(self, frames: np.ndarray, numbers: np.ndarray) -> Example:
        example = forecast_example(frames, self._times[numbers], self._context)
        if self._winds is None:
            return example
        return {**example, "wind_speed": self._winds[numbers[: self._context]]}

    @functools.cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """A hash of the preparation's place and of the windows."""
        text = repr(
            (str(self._prepared.folder), self._context, self._length, self._starts.tolist())
        )
        return hashlib.sha1(text.encode()).hexdigest()
