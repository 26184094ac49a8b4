"""Folders of satellite images of storms, taken at irregular times, as a source."""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec, split_groups
from gm_jax.data.sequences.storm_files import NUM_OCEANS, Storm, StormFiles
from gm_jax.data.sequences.storm_frames import Cut
from gm_jax.data.sequences.storm_preparation import PreparedStorms, prepare_storms
from gm_jax.data.sequences.storm_splits import TimeSplit
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec, Extra
from gm_jax.data.store.making import preparation_folder, preparation_name, remove_others
from gm_jax.data.store.name_splits import SPLITS
from gm_jax.data.store.places import cache_dir, find_path, short_path
from gm_jax.data.store.split_expressions import full_names, split_indices
from gm_jax.errors import (
    ConfigError,
    UserError,
    check_not_negative,
    check_parts,
    check_positive,
)

type SplitBy = Literal["auto", "storm", "time"]
"""auto: by storm, or by time where there are fewer than three, one for each split."""
type Condition = Literal["ocean", "wind_speed"]

_FEWEST = 3  # storms that are split by storm, unless asked for

_FORMAT = 2  # goes up when the same files give other frames than before


@dataclasses.dataclass(frozen=True)
class Storms(Source):
    """Windows of N known and M wanted frames of storms: `<storm>_<NNN>.jpg` with json files.

    Each image has a `_features.json` beside it (`relative_time` in seconds, `storm_id`) and may
    have a `_label.json` (`wind_speed` in knots); values may be text. Any number of storms lie in
    one folder, or each in a folder of its own. A storm's frames are sorted by time. By storm, all
    its windows lie in one split: "train", "validation" (also "valid") or "test"; by time, every
    storm is cut into the three (`TimeSplit`). "all" is all of them together.

    "image" uint8 [M, H, W, C], "context" uint8 [N, H, W, C], "context_time" float32 [N] and "time"
    float32 [M], in seconds since the last context frame; where every storm has labels, "wind_speed"
    float32 [N], knots; as a condition, "ocean" int32, the number of the last known frame's. The
    frames are prepared when they are first read, and again when the files have changed.
    """

    path: pathlib.Path | str
    """Of the folder: from the working folder, or else from a data folder."""
    context: int = 4
    """Known frames of an example, N."""
    targets: int = 3
    """Wanted frames of an example, M."""
    size: int | tuple[int, int] | None = None
    """Height and width the frames get, or one number for both (None: they stay as they are, and
    have to be of one size)."""
    crop: int | tuple[int, int] | None = None
    """Height and width, or one number for both, of the part in the middle that is kept, before it
    is resized (None: the largest of the proportions of the size)."""
    channels: Literal[1, 3] = 1
    """1: grey, 3: colour."""
    stride: int = 1
    """Frames between the beginnings of two windows of a storm."""
    valid_fraction: float = 0.10
    """For the split validation: of the storms, or by time of each storm's frames."""
    test_fraction: float = 0.10
    """For the split test, likewise."""
    short: Literal["skip", "stop"] = "stop"
    """What is done about a storm that is too short: it is left out, or it is an error."""
    split: SplitBy = "storm"
    """storm: all of a storm lies in one split. time: every storm is cut along time, train first,
    then validation, then test. auto: by storm, or by time where there are fewer than three."""
    gap: int | None = None
    """By time: frames between two splits, which are wanted in none (None: as many as are known)."""
    conditions: tuple[Condition, ...] = ()
    """What a model is told beside the frames: ocean, wind_speed."""

    def __post_init__(self) -> None:
        check_storm_fields(self)

    @property
    def spec(self) -> DataSpec:
        return self._spec(self._prepared())

    def open(self, split: str) -> Examples:
        prepared = self._prepared()
        windows = self._windows(prepared)
        sizes = {name: len(starts) for name, starts in windows.items()}
        try:
            parts = split_indices(split, sizes)
        except UserError as error:
            raise self._with_hint(error, split, prepared.storms) from error
        starts = np.concatenate([windows[name][indices] for name, indices in parts])
        extras = [extra.name for extra in self._spec(prepared).extras]
        return _Windows(prepared, starts, self.context, self.targets, extras)

    def summary(self) -> str:
        """One line: storms, frames and their intervals, and how many windows each split has."""
        prepared = self._prepared()
        windows, usable = self._windows(prepared), self._usable(prepared.storms)
        storms, frames = len(usable), sum(map(len, usable))
        left_out = len(prepared.storms) - storms
        height, width, _ = prepared.shape
        sizes = " / ".join(f"{len(windows[s]):,} {s}" for s in SPLITS if s in windows)
        gap = self._time_split.gap
        return (
            f"{short_path(find_path(self.path))}: {storms:,} {'storm' if storms == 1 else 'storms'}"
            + (f" ({left_out:,} too short, left out)" if left_out else "")
            + f", {frames:,} frames of {width}x{height}, {_intervals(usable)}; "
            f"windows of {self.context} + {self.targets}: {sizes}"
            + (
                f", split by time with {gap:,} {'frame' if gap == 1 else 'frames'} between"
                if self._is_by_time(prepared.storms)
                else ""
            )
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
        """The storms that are as long as a window; by time, that have one in every split.

        Raises:
          UserError: there is none, or one is shorter and `short` is "stop".
        """
        by_time = self._is_by_time(storms)
        usable = [
            storm
            for storm in storms
            if (self._time_split.fits(len(storm)) if by_time else self._has_window(storm))
        ]
        if len(usable) < len(storms) and (self.short == "stop" or not usable):
            worst = min(storms, key=len)
            frames = "1 frame" if len(worst) == 1 else f"{len(worst)} frames"
            hint = ", or leave it out with short skip" if usable else ""
            window = f"a window takes {self.context} + {self.targets}"
            if not self._has_window(worst) or not by_time:
                raise UserError(
                    f"storm {worst.id} in {self.path} has {frames}, but {window}: take fewer{hint}"
                )
            left = len(self._time_split.parts(len(worst))["train"])
            raise UserError(
                f"storm {worst.id} in {self.path} has {frames}, of which {left} are left to train "
                f"on before the later splits and their gaps of {self._time_split.gap}, but "
                f"{window}: take fewer, a smaller gap or smaller fractions{hint}"
            )
        return usable

    def _has_window(self, storm: Storm) -> bool:
        return len(storm) >= self.context + self.targets

    def _is_by_time(self, storms: Sequence[Storm]) -> bool:
        """Whether storms are cut along time."""
        few = sum(map(self._has_window, storms)) < _FEWEST
        return self.split == "time" or (self.split == "auto" and few)

    @property
    def _time_split(self) -> TimeSplit:
        gap = self.context if self.gap is None else self.gap
        fractions = self.valid_fraction, self.test_fraction
        return TimeSplit(self.context, self.targets, gap, *fractions)

    def _with_hint(self, error: UserError, split: str, storms: Sequence[Storm]) -> UserError:
        """The error about a split that is not there, with what helps where storms are too few."""
        num = len(self._usable(storms))
        if self._is_by_time(storms) or num >= _FEWEST or full_names(split) not in SPLITS:
            return error
        have = "1 storm gives" if num == 1 else f"{num} storms give"
        return UserError(f"{error}; {have} no more: split by time", "--data.split time")

    def _spec(self, prepared: PreparedStorms) -> DataSpec:
        usable = self._usable(prepared.storms)
        further = []
        if "wind_speed" in self.conditions:
            self._check_winds(usable)
        if all(storm.winds for storm in usable):
            told = "wind_speed" in self.conditions
            further.append(Extra("wind_speed", (self.context,), condition=told))
        if "ocean" in self.conditions:
            self._check_oceans(usable)
            ocean = Extra("ocean", (), "int32", condition=True, num_values=NUM_OCEANS)
            further.append(ocean)
        return forecast_spec(prepared.shape, self.context, self.targets, tuple(further))

    def _check_winds(self, storms: Sequence[Storm]) -> None:
        """Raises UserError where a storm has no wind."""
        for storm in storms:
            if storm.winds is None:
                raise UserError(
                    f"storm {storm.id} in {self.path} has no wind_speed in any _label.json, and "
                    "conditions name it: give its frames labels, or leave it out of conditions"
                )

    def _check_oceans(self, storms: Sequence[Storm]) -> None:
        """Raises UserError where a frame has no ocean."""
        for storm in storms:
            for name, ocean in zip(storm.names, storm.oceans, strict=True):
                if ocean is None:
                    raise UserError(
                        f"the _features.json of {name} in {self.path} has no ocean, a whole number "
                        f"0 to {NUM_OCEANS - 1}, and conditions name it: mend it, or leave it out "
                        "of conditions"
                    )

    def _windows(self, prepared: PreparedStorms) -> dict[str, np.ndarray]:
        """Where the windows of each split begin, among all frames."""
        usable = self._usable(prepared.storms)
        ids = [storm.id for storm in usable]
        lengths = {storm.id: len(storm) for storm in prepared.storms}
        offsets = dict(zip(lengths, np.cumsum([0, *lengths.values()]), strict=False))
        if self._is_by_time(prepared.storms):
            cut = {storm: self._time_split.starts(lengths[storm], self.stride) for storm in ids}
            return {
                split: np.concatenate([offsets[storm] + cut[storm][split] for storm in ids])
                for split in cut[ids[0]]
            }
        members = split_groups(ids, self.valid_fraction, self.test_fraction)
        length = self.context + self.targets
        return {
            split: np.concatenate(
                [
                    offsets[storm] + np.arange(0, lengths[storm] - length + 1, self.stride)
                    for storm in found
                ]
            )
            for split, found in members.items()
        }


def check_storm_fields(config: object) -> None:
    """Checks the fields that `Storms` and `StormData` have in common; raises ConfigError."""
    path = config.path  # type: ignore[attr-defined]
    if path is not None:  # what a user gives and what experiment.json holds are the same
        object.__setattr__(config, "path", str(path))
    for field in ("size", "crop"):
        value = getattr(config, field)
        if isinstance(value, tuple) and value[0] == value[1]:  # one preparation, however written
            object.__setattr__(config, field, value[0])
    check_positive(config, "context", "targets", "size", "crop", "stride")
    check_not_negative(config, "gap")
    check_parts(config, "valid_fraction", "test_fraction")
    gap, split = config.gap, config.split  # type: ignore[attr-defined]
    if gap is not None and split == "storm":
        raise ConfigError(
            f"{type(config).__name__}.gap {gap} is for splits by time, and split is storm: leave "
            "it out, or set split to time"
        )
    conditions = config.conditions  # type: ignore[attr-defined]
    if len({*conditions}) < len(conditions):
        raise ConfigError(f"{type(config).__name__}.conditions names one twice: {conditions}")


def _intervals(storms: Sequence[Storm]) -> str:
    """The median of the intervals of frames, and their range: 1,800 s apart (1,799 to 3,600)."""
    intervals = np.concatenate([np.diff(storm.times) for storm in storms])
    low, middle, high = (f"{v:,.6g}" for v in np.quantile(intervals, (0, 0.5, 1)))
    return f"{middle} s apart" + (f" ({low} to {high})" if low != high else "")


class _Windows(Examples):
    """Windows of prepared storms."""

    def __init__(
        self,
        prepared: PreparedStorms,
        starts: np.ndarray,
        context: int,
        targets: int,
        extras: Sequence[str],
    ):
        self._prepared, self._starts, self._context = prepared, starts, context
        self._length, self._extras = context + targets, tuple(extras)
        self._times = np.concatenate([np.array(storm.times) for storm in prepared.storms])
        self._winds = self._oceans = None
        if "wind_speed" in extras:
            nothing = [
                np.full(len(s), np.nan) if s.winds is None else s.winds for s in prepared.storms
            ]
            self._winds = np.concatenate(nothing).astype(np.float32)
        if "ocean" in extras:  # -1 in storms that are too short to be read
            known = [-1 if ocean is None else ocean for s in prepared.storms for ocean in s.oceans]
            self._oceans = np.array(known, np.int32)

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
        example = dict(forecast_example(frames, self._times[numbers], self._context))
        if self._winds is not None:
            example["wind_speed"] = self._winds[numbers[: self._context]]
        if self._oceans is not None:
            example["ocean"] = self._oceans[numbers[self._context - 1]]
        return example

    @functools.cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """A hash of the preparation's place and of the windows."""
        text = repr(
            (
                str(self._prepared.folder),
                self._context,
                self._length,
                self._starts.tolist(),
                self._extras,
            )
        )
        return hashlib.sha1(text.encode()).hexdigest()
