"""Storms whose future is known: irregular sequences of a vortex that follows an analytic law."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec
from gm_jax.data.sequences.vortex import Vortices, draw_vortices, render
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import check_fraction, check_not_negative, check_positive
from gm_jax.rng import numpy_generator

_LEADS = {"test_half": 0.5, "test_double": 2.0}


@dataclasses.dataclass(frozen=True)
class SyntheticStorms(Source):
    """Drifting, turning, growing and decaying storms, seen at irregular times.

    "image" uint8 [M, H, W, 1] holds the wanted frames; "context" uint8 [N, H, W, 1] the known ones;
    "context_time" float32 [N] and "time" float32 [M] their times, in seconds since the last context
    frame. Splits "train", "validation" (also "valid") and "test" have storms of their own.
    "test_half" and "test_double" are the storms and the context of "test" with every wanted time at
    half, and at twice, the distance. What a split holds depends on the seed and its name alone: a
    larger one begins with the storms of a smaller one.
    """

    size: int = 32
    """Height and width. The same storm may be had at any size."""
    context: int = 4
    """Known frames of an example, N."""
    targets: int = 3
    """Wanted frames of an example, M."""
    num_train: int = 4_000
    """Storms in "train"."""
    num_validation: int = 200
    """Storms in "validation"."""
    num_test: int = 500
    """Storms in "test"."""
    seed: int = 0
    """Of the storms and their times; that of the experiment changes their order only."""
    frame_interval: float = 1800.0
    """Seconds; in one to three of these a storm changes clearly."""
    irregularity: float = 0.8
    """Intervals lie in frame_interval * interval_scale * (1 ± irregularity); 0: regular times."""
    interval_scale: float = 1.0
    """Stretches all intervals, and leaves the storms as they are."""
    lead_scale: float = 1.0
    """Stretches the wanted times only."""
    windows: int = 1
    """Examples of a storm: each begins a frame later than the one before."""

    def __post_init__(self) -> None:
        check_positive(self, "size", "context", "targets", "windows")
        check_positive(self, "num_train", "num_validation", "num_test")
        check_positive(self, "frame_interval", "interval_scale", "lead_scale")
        check_not_negative(self, "seed")
        check_fraction(self, "irregularity")

    @property
    def spec(self) -> DataSpec:
        return forecast_spec((self.size, self.size, 1), self.context, self.targets)

    def open(self, split: str) -> Examples:
        storms, origins, times = self._find(split)
        return _Rendered(storms, origins, times, self.context, self.size, self._groups(split))

    def at_other_times(self, split: str) -> dict[str, str]:
        if not re.fullmatch(r"test(\[[^\]]*\])?", split):
            return {}
        return {name.removeprefix("test_"): split.replace("test", name) for name in _LEADS}

    def truth(self, split: str, index: int | np.ndarray, times: np.ndarray) -> np.ndarray:
        """What an example looks like at any times.

        Args:
          split: as for `open`.
          index: of the example or examples in it, [n].
          times: seconds since the last context frame, [T] or [n, T].

        Returns:
          uint8 levels [n, T, H, W, 1].

        Raises:
          UserError: there is no such split.
        """
        storms, origins, _ = self._find(split)
        index = np.atleast_1d(index)
        at = np.broadcast_to(times, (len(index), np.shape(times)[-1]))
        return render(storms[index], origins[index, None] + at, self.size)

    def summary(self) -> str:
        """One line: how many storms, and how they are seen."""
        sizes = f"{self.num_train:,} train / {self.num_validation:,} validation"
        seconds = self.frame_interval * self.interval_scale
        return (
            f"synthetic storms, {self.size}x{self.size}: {sizes} / {self.num_test:,} test; "
            f"{self.context} + {self.targets} frames, about {seconds:,.0f} s apart"
        )

    def _find(self, split: str) -> tuple[Vortices, np.ndarray, np.ndarray]:
        """The examples of a split.

        Returns:
          Each one's storm [n]; where its time 0 lies in the storm's own time, [n]; and its times,
          seconds, float32 [n, N + M].
        """
        parts, numbers = self._parts(split)
        found = [self._draw(name, numbers[name], indices) for name, indices in parts]
        storms, origins, times = zip(*found, strict=True)
        joined = {
            f.name: np.concatenate([getattr(s, f.name) for s in storms])
            for f in dataclasses.fields(Vortices)
        }
        return Vortices(**joined), np.concatenate(origins), np.concatenate(times)

    def _parts(self, split: str) -> tuple[list[tuple[str, np.ndarray]], dict[str, int]]:
        """The examples of a split by their numbers, and how many storms each split has."""
        numbers = {"train": self.num_train, "validation": self.num_validation}
        numbers.update(dict.fromkeys(("test", *_LEADS), self.num_test))
        sizes = {name: num * self.windows for name, num in numbers.items()}
        return split_indices(split, sizes), numbers

    def _groups(self, split: str) -> np.ndarray:
        """A number for the storm of each example of a split."""
        parts, numbers = self._parts(split)
        first = dict(zip(numbers, np.cumsum([0, *numbers.values()]), strict=False))
        first.update(dict.fromkeys(_LEADS, first["test"]))  # the same storms
        return np.concatenate([first[name] + indices // self.windows for name, indices in parts])

    def _draw(self, split: str, num: int, indices: np.ndarray) -> tuple[Any, Any, Any]:
        """As `_find`, for the examples at `indices` of one split of `num` storms."""
        drawn = "test" if split in _LEADS else split
        stream = functools.partial(numpy_generator, self.seed, drawn)
        storms = draw_vortices(stream, num, self.frame_interval)
        length = self.context + self.targets
        spread = stream("times").uniform(-1, 1, (num, length + self.windows - 2))
        intervals = self.frame_interval * (1 + self.irregularity * spread) * self.interval_scale
        starts = np.zeros((num, 1))
        frames = np.concatenate([starts, np.cumsum(np.maximum(np.rint(intervals), 1), 1)], 1)
        # A storm's own time 0 is in the middle of its frames.
        frames -= frames[:, [self.context - 1 + (self.windows - 1) // 2]]
        storm, window = np.divmod(indices, self.windows)
        times = frames[storm[:, None], window[:, None] + np.arange(length)]  # [n, N + M]
        origins = times[:, self.context - 1].copy()
        times -= origins[:, None]
        times[:, self.context :] *= self.lead_scale * _LEADS.get(split, 1.0)
        return storms[storm], origins, times.astype(np.float32)


class _Rendered(Examples):
    """Examples that are rendered as they are read."""

    def __init__(
        self,
        storms: Vortices,
        origins: np.ndarray,
        times: np.ndarray,
        context: int,
        size: int,
        groups: np.ndarray,
    ):
        self._storms, self._origins, self._times = storms, origins, times
        self._context, self._size, self._groups = context, size, groups

    def __len__(self) -> int:
        return len(self._times)

    def groups(self) -> np.ndarray:
        """The number of each example's storm."""
        return self._groups

    def take(self, indices: Sequence[int]) -> list[Example]:
        chosen = np.asarray(indices, int)
        times = self._times[chosen]
        frames = render(self._storms[chosen], self._origins[chosen, None] + times, self._size)
        return [forecast_example(f, t, self._context) for f, t in zip(frames, times, strict=True)]
