"""Sequences of one's own as arrays in an .npz file, as a source."""

import dataclasses
import functools
import pathlib
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.places import find_path, short_path
from gm_jax.data.store.row_splits import split_rows
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import (
    UserError,
    check_not_negative,
    check_parts,
    check_positive,
    one_line,
)


class SequenceArrays(NamedTuple):
    """What an .npz file of sequences holds.

    Attributes:
      frames: uint8 [N, T, H, W, C].
      times: seconds, increasing, float64 [N, T].
    """

    frames: np.ndarray
    times: np.ndarray


@dataclasses.dataclass(frozen=True)
class Sequences(Source):
    """Sequences of one's own; splits "train", "validation" (also "valid"), "test", by sequence.

    An .npz file with "frames" uint8 [N, T, H, W, C], or [N, T, H, W] in grey, and "times" [T], the
    same for all, or [N, T]: seconds from any origin, increasing. A sequence longer than the known
    and the wanted frames together gives several examples, which lie in one split. Examples are as
    those of `SyntheticStorms`.
    """

    path: pathlib.Path | str
    """Of the file: from the working folder, or else from a data folder."""
    _: dataclasses.KW_ONLY
    context: int = 4
    """Known frames of an example, N."""
    targets: int = 3
    """Wanted frames of an example, M."""
    stride: int = 1
    """Frames between the beginnings of two examples of a sequence."""
    valid_fraction: float = 0.10
    """Of the sequences, for the split validation."""
    test_fraction: float = 0.10
    """Of the sequences, for the split test."""
    split_seed: int = 0
    """Of the splits."""

    def __post_init__(self) -> None:
        check_sequence_fields(self)

    @property
    def spec(self) -> DataSpec:
        height, width, channels = self._arrays().frames.shape[2:]
        return forecast_spec((height, width, channels), self.context, self.targets)

    def open(self, split: str) -> Examples:
        arrays = self._arrays()
        members = self._members(arrays)
        num = self._num_windows(arrays)
        sizes = {name: len(rows) * num for name, rows in members.items()}
        chosen = [
            (members[name][indices // num], indices % num * self.stride)
            for name, indices in split_indices(split, sizes)
        ]
        rows, starts = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
        return _Windows(arrays, rows, starts, self.context, self.targets)

    def summary(self) -> str:
        """One line: how many sequences and frames, and how many examples each split has."""
        arrays = self._arrays()
        num, length, height, width, channels = arrays.frames.shape
        windows = self._num_windows(arrays)
        members = self._members(arrays).items()
        sizes = " / ".join(f"{len(rows) * windows:,} {name}" for name, rows in members)
        seconds = float(np.median(np.diff(arrays.times, axis=1)))
        return (
            f"{short_path(find_path(self.path, 'file'))}: {num:,} sequences of {length} frames, "
            f"{height}x{width}x{channels}, about {seconds:g} s apart; "
            f"examples of {self.context} + {self.targets}: {sizes}"
        )

    def _arrays(self) -> SequenceArrays:
        path = find_path(self.path, "file")
        arrays = read_sequences(path)
        needed = self.context + self.targets
        if arrays.frames.shape[1] < needed:
            raise UserError(
                f"{path}: sequences have {arrays.frames.shape[1]} frames, but an example takes "
                f"{self.context} + {self.targets}: take fewer",
                "--data.context, --data.targets",
            )
        return arrays

    def _num_windows(self, arrays: SequenceArrays) -> int:
        """Examples of a sequence."""
        return (arrays.frames.shape[1] - self.context - self.targets) // self.stride + 1

    def _members(self, arrays: SequenceArrays) -> dict[str, np.ndarray]:
        """The sequences in each split."""
        fractions = self.valid_fraction, self.test_fraction
        try:
            return split_rows(len(arrays.frames), *fractions, self.split_seed, "sequences")
        except UserError as error:
            raise error.of(short_path(find_path(self.path, "file"))) from error


def check_sequence_fields(config: object) -> None:
    """Checks the fields that `Sequences` and `SequenceData` have in common; raises ConfigError."""
    path = config.path  # type: ignore[attr-defined]
    if path is not None:  # what a user gives and what experiment.json holds are the same
        object.__setattr__(config, "path", str(path))
    check_positive(config, "context", "targets", "stride")
    check_not_negative(config, "split_seed")
    check_parts(config, "valid_fraction", "test_fraction")


def read_sequences(path: pathlib.Path) -> SequenceArrays:
    """The sequences in an .npz file; read again only where the file has changed.

    Raises:
      UserError: the file cannot be read, or its arrays are not those of sequences.
    """
    if path.suffix.lower() != ".npz" or not path.is_file():
        raise UserError(f'{path} is no file of sequences: give an .npz with "frames" and "times"')
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"{path} cannot be read as .npz ({reason}): write it anew") from error


@functools.lru_cache(maxsize=1)  # a run opens its splits one after the other
def _read(path: pathlib.Path, size: int, time: int) -> SequenceArrays:
    if not zipfile.is_zipfile(path):
        raise zipfile.BadZipFile("it is damaged, or something else")
    with np.load(path, allow_pickle=False) as file:
        for name in ("frames", "times"):
            if name not in file.files:
                has = ", ".join(file.files) or "nothing"
                raise UserError(f'{path} has no "{name}": it has {has}, and sequences need both')
        frames, times = file["frames"], file["times"]
    if frames.dtype != np.uint8 or frames.ndim not in (4, 5) or not frames.size:
        raise UserError(
            f"{path}: frames must be uint8 [N, T, H, W, C] or [N, T, H, W], not {frames.dtype} "
            f"{list(frames.shape)}"
        )
    frames = frames[..., None] if frames.ndim == 4 else frames
    num, length = frames.shape[:2]
    if times.dtype.kind not in "fiu" or times.shape not in ((length,), (num, length)):
        raise UserError(
            f"{path}: times must be numbers [{length}] or [{num}, {length}], as frames are "
            f"{list(frames.shape)}, not {times.dtype} {list(times.shape)}"
        )
    times = np.broadcast_to(times.astype(np.float64), (num, length))
    _check_times(path, times)
    for array in (frames, times):
        array.setflags(write=False)
    return SequenceArrays(frames, times)


def _check_times(path: pathlib.Path, times: np.ndarray) -> None:
    """Looks whether times [N, T] can be those of frames.

    Raises:
      UserError: one is not finite, or not later than the one before.
    """
    finite = np.isfinite(times)
    if not finite.all():
        row, frame = np.argwhere(~finite)[0]
        raise UserError(
            f"{path}: the time of frame {frame} of sequence {row} is {times[row, frame]}, which is "
            "no number of seconds: mend it"
        )
    # As a model is told them: float32 seconds since one of them.
    late = np.diff((times - times[:, :1]).astype(np.float32), axis=1) > 0
    if not late.all():
        row, frame = np.argwhere(~late)[0]
        raise UserError(
            f"{path}: times must increase, and in sequence {row} frame {frame + 1} "
            f"({times[row, frame + 1]:g} s) is not after frame {frame} ({times[row, frame]:g} s): "
            "sort the frames by time, each once"
        )


class _Windows(Examples):
    """Parts of sequences in memory."""

    def __init__(
        self,
        arrays: SequenceArrays,
        rows: np.ndarray,
        starts: np.ndarray,
        context: int,
        targets: int,
    ):
        self._arrays, self._rows, self._starts = arrays, rows, starts
        self._context, self._length = context, context + targets

    def __len__(self) -> int:
        return len(self._rows)

    def groups(self) -> np.ndarray:
        """The number of each example's sequence."""
        return self._rows

    def take(self, indices: Sequence[int]) -> list[Example]:
        return [self._example(self._rows[i], self._starts[i]) for i in indices]

    def _example(self, row: int, start: int) -> Example:
        part = slice(start, start + self._length)
        return forecast_example(
            self._arrays.frames[row, part], self._arrays.times[row, part], self._context
        )
