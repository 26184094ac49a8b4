"""SEVIR: storms over the United States by satellite and radar (Veillette et al. 2020)."""

import dataclasses
import functools
import hashlib
import pathlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec, split_groups
from gm_jax.data.sequences.sevir_files import SevirFiles
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec, Extra
from gm_jax.data.store.name_splits import SPLITS
from gm_jax.data.store.places import find_path, short_path
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import UserError, check_parts, check_positive

FRAME_SECONDS = 300.0
"""Between two frames."""

RANGES = {
    "vis": (0.0, 10_000.0),
    "ir069": (-8_000.0, 0.0),
    "ir107": (-9_000.0, 5_000.0),
    "vil": (0.0, 255.0),
}
"""The stored values that become the levels 0 and 255; what lies beyond is clipped.

vis is stored in 1e-4 of reflectance, so that the levels reach from 0 to 1; the infrared channels in
1e-2 °C, from -80 to 0 °C and from -90 to 50 °C; vil has its own levels, 0 .. 255.
"""

VIL_MISSING = 255
"""What stands in vil where no radar measured."""

VIL_THRESHOLDS = (16, 74, 133, 160, 181, 219)
"""Levels of vil from which on forecasts are counted (Veillette et al. 2020)."""

type SevirTask = Literal["translate", "forecast"]

_TYPES = {"translate": ("vil", "vis", "ir069", "ir107"), "forecast": ("vil",)}


@dataclasses.dataclass(frozen=True)
class Sevir(Source):
    """SEVIR's HDF5 files: the radar's vil from the satellite's channels, or its future.

    Files hold `id` [K] and, under a type's name, integers [K, H, W, 49], 5 minutes apart; an event
    is found in the files of all types by its id. Splits "train", "validation" (also "valid") and
    "test" are drawn by a hash of the id, so that all of an event lies in one; "all" is every event.

    translate: "image" uint8 [S, S, 1] is vil; "vis" uint8 [S, S, 1], "ir069" and "ir107" uint8
    [S/2, S/2, 1] are the other channels of the same time.

    forecast: vil alone, "image", "context", "context_time" and "time" as of `SyntheticStorms`.

    A vil of 255 means that no radar measured: it stays 255 in "image", and is the spec's `missing`;
    in "context" it is 0, no rain, for whoever forecasts from it.
    """

    path: pathlib.Path | str
    """Of the folder that holds the .h5 files: from the working folder, or else a data folder."""
    task: SevirTask = "translate"
    """translate: vis, ir069 and ir107 into vil; forecast: vil into later vil."""
    size: int | None = None
    """S, height and width of vil, a whole fraction of its own 384 (None); means are taken."""
    context: int = 13
    """Known frames of a forecast, N."""
    targets: int = 12
    """Wanted frames of a forecast, M."""
    stride: int = 12
    """Frames between two examples of an event, or between the beginnings of two forecasts."""
    valid_fraction: float = 0.10
    """Of the events, for the split validation."""
    test_fraction: float = 0.10
    """Of the events, for the split test."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        check_positive(self, "size", "context", "targets", "stride")
        check_parts(self, "valid_fraction", "test_fraction")

    @property
    def spec(self) -> DataSpec:
        return self._spec(self._files())

    def open(self, split: str) -> Examples:
        files = self._files()
        starts = self._starts(files)
        members = self._members(files)
        sizes = {name: len(ids) * len(starts) for name, ids in members.items()}
        parts = split_indices(split, sizes)
        found = []
        for name, indices in parts:
            events, places = np.divmod(indices, len(starts))
            found += [
                (members[name][event], int(starts[place]))
                for event, place in zip(events, places, strict=True)
            ]
        context = self.context if self.task == "forecast" else None
        return _Frames(files, found, self._spec(files), context)

    def summary(self) -> str:
        """One line: how many events, and how many examples each split has."""
        files = self._files()
        num, members = len(self._starts(files)), self._members(files)
        sizes = " / ".join(f"{len(members[s]) * num:,} {s}" for s in SPLITS if s in members)
        return (
            f"{short_path(find_path(self.path))}: {len(files.ids):,} events of SEVIR, "
            f"{'x'.join(map(str, self._spec(files).shape))}; {sizes}"
        )

    def _files(self) -> SevirFiles:
        return SevirFiles(find_path(self.path), _TYPES[self.task])

    def _spec(self, files: SevirFiles) -> DataSpec:
        own = files.shapes["vil"][0]
        size = self.size or own
        for name in _TYPES[self.task]:
            height, width, _ = files.shapes[name]
            # An infrared picture gets half the size.
            parts, what = (2, "half of it") if name.startswith("ir") else (1, "it")
            if height != width or size % parts or height % (size // parts):
                raise UserError(
                    f"size {size} does not fit {name} in {self.path}, {width}x{height}: {what} has "
                    "to be a whole fraction of that"
                )
        if self.task == "forecast":
            spec = forecast_spec((size, size, 1), self.context, self.targets)
            return dataclasses.replace(spec, thresholds=VIL_THRESHOLDS, missing=VIL_MISSING)
        half = (size // 2, size // 2, 1)
        sizes = {"vis": (size, size, 1), "ir069": half, "ir107": half}
        extras = tuple(Extra(name, shape, "uint8") for name, shape in sizes.items())
        return DataSpec(
            (size, size, 1), extras=extras, thresholds=VIL_THRESHOLDS, missing=VIL_MISSING
        )

    def _starts(self, files: SevirFiles) -> np.ndarray:
        """The first frame of each example of an event."""
        length = self.context + self.targets if self.task == "forecast" else 1
        if files.num_frames < length:
            raise UserError(
                f"an event in {self.path} has {files.num_frames} frames, but a forecast takes "
                f"{self.context} + {self.targets}: take fewer"
            )
        return np.arange(0, files.num_frames - length + 1, self.stride)

    def _members(self, files: SevirFiles) -> dict[str, list[str]]:
        return split_groups(files.ids, self.valid_fraction, self.test_fraction)


def to_levels(values: np.ndarray, name: str, size: int) -> np.ndarray:
    """Stored values of a type as levels of a smaller picture.

    Args:
      values: [..., k size, k size], as they are stored.
      name: of the type.
      size: height and width that are wanted; means are taken over k x k pixels, of vil over those
        that were measured.

    Returns:
      uint8 [..., size, size, 1]; of vil `VIL_MISSING` where nothing was measured.
    """
    k = values.shape[-1] // size
    blocks = values.reshape(*values.shape[:-2], size, k, size, k)
    if name == "vil":
        measured = blocks != VIL_MISSING
        num = measured.sum((-3, -1), dtype=np.float32)
        total = np.where(measured, blocks, 0).sum((-3, -1), dtype=np.float32)
        means = np.where(num > 0, total / np.maximum(num, 1), VIL_MISSING)
    else:
        means = blocks.mean((-3, -1), dtype=np.float32)
    low, high = RANGES[name]
    levels = 255 * (means - low) / (high - low)
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)[..., None]


class _Frames(Examples):
    """Frames of events, read from the HDF5 files."""

    def __init__(
        self,
        files: SevirFiles,
        found: Sequence[tuple[str, int]],
        spec: DataSpec,
        context: int | None,
    ):
        self._files, self._found, self._context = files, found, context
        self._length = 1 if context is None else context + spec.shape[0]
        self._sizes = {"vil": spec.shape[-2]}
        if context is None:
            self._sizes |= {extra.name: extra.shape[0] for extra in spec.extras}

    def __len__(self) -> int:
        return len(self._found)

    def groups(self) -> np.ndarray:
        """The number of each example's event."""
        return np.unique([event for event, _ in self._found], return_inverse=True)[1]

    def take(self, indices: Sequence[int]) -> list[Example]:
        wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, index in enumerate(indices):
            event, start = self._found[index]
            wanted[event].append((place, start))
        examples: list[Example] = [{}] * len(indices)
        for event, places in wanted.items():  # each event is read once
            first = min(start for _, start in places)
            stop = max(start for _, start in places) + self._length
            arrays = {
                name: to_levels(self._files.read(name, event, first, stop), name, size)
                for name, size in self._sizes.items()
            }
            for place, start in places:
                examples[place] = self._example(arrays, start - first)
        return examples

    def _example(self, arrays: dict[str, np.ndarray], start: int) -> Example:
        if self._context is None:
            channels = {name: array[start] for name, array in arrays.items()}
            return {"image": channels.pop("vil"), **channels}
        frames = arrays["vil"][start : start + self._length]
        example = forecast_example(frames, FRAME_SECONDS * np.arange(self._length), self._context)
        known = example["context"]
        return {**example, "context": np.where(known == VIL_MISSING, np.uint8(0), known)}

    @functools.cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """A hash of the files and of what is taken of them."""
        of = (self._files.fingerprint, self._found, self._length, self._sizes, RANGES, VIL_MISSING)
        text = repr((*of, self._context))
        return hashlib.sha1(text.encode()).hexdigest()
