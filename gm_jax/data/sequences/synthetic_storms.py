"""Storms whose future is known: irregular sequences of a storm that follows an analytic law."""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec
from gm_jax.data.sequences.cloud_storms import LAW, CloudStorms, draw_cloud_storms, render_clouds
from gm_jax.data.sequences.sensor_noise import sensor_noise
from gm_jax.data.sequences.vortex import Vortices, draw_vortices, render
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import check_fraction, check_not_negative, check_positive
from gm_jax.rng import numpy_generator

_LEADS = {"test_half": 0.5, "test_double": 2.0}
_NOISE = {"smooth": 0.0, "textured": 2.0}  # levels
_MISSING = {"smooth": 0.0, "textured": 0.15}
_MOST_MISSING = 3  # frames in a row
_Storms = Vortices | CloudStorms


@dataclasses.dataclass(frozen=True)
class SyntheticStorms(Source):
    """Drifting, turning, growing and decaying storms, seen at irregular times.

    Two kinds: "textured" ones look like satellite images, with clouds of every scale that turn
    faster inside than outside, over a ground that does not move; brightness, contrast, speed and
    sense of rotation differ from storm to storm. "smooth" ones are a vortex with spiral bands. What
    they look like at any time is known (`truth`); examples show it with a camera's noise.

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
    kind: Literal["textured", "smooth"] = "textured"
    """What the storms look like."""
    noise: float | None = None
    """Standard deviation of the camera's, in levels (None: 2 if textured, 0 if smooth)."""
    missing: float | None = None
    """Probability that a frame got lost, and then that the next did, at most three in a row: the
    interval is so many times longer (None: 0.15 if textured, 0 if smooth)."""

    def __post_init__(self) -> None:
        check_positive(self, "size", "context", "targets", "windows")
        check_positive(self, "num_train", "num_validation", "num_test")
        check_positive(self, "frame_interval", "interval_scale", "lead_scale")
        check_not_negative(self, "seed", "noise")
        check_fraction(self, "irregularity", "missing")

    @property
    def spec(self) -> DataSpec:
        return forecast_spec((self.size, self.size, 1), self.context, self.targets)

    def open(self, split: str) -> Examples:
        seen = self._find(split)
        kind = _Rendered if self.kind == "smooth" else _Kept
        return kind(self, seen, self._groups(split))

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
        seen = self._find(split)
        index = np.atleast_1d(index)
        at = np.broadcast_to(times, (len(index), np.shape(times)[-1]))
        return _render(seen.storms[index], seen.origins[index, None] + at, self.size)

    def summary(self) -> str:
        """One line: how many storms, and how they are seen."""
        sizes = f"{self.num_train:,} train / {self.num_validation:,} validation"
        seconds = self.frame_interval * self.interval_scale
        plain = "" if self.kind == "textured" else f"{self.kind} "
        return (
            f"{plain}synthetic storms, {self.size}x{self.size}: {sizes} / {self.num_test:,} test; "
            f"{self.context} + {self.targets} frames, about {seconds:,.0f} s apart"
        )

    def _find(self, split: str) -> "_Seen":
        """The examples of a split."""
        parts, numbers = self._parts(split)
        found = [self._draw(name, numbers[name], indices) for name, indices in parts]
        storms: list[Any] = [part.storms for part in found]  # of one kind
        return _Seen(
            type(storms[0]).joined(storms),
            np.concatenate([part.origins for part in found]),
            np.concatenate([part.times for part in found]),
            [name for part in found for name in part.names],
        )

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

    def _draw(self, split: str, num: int, indices: np.ndarray) -> "_Seen":
        """As `_find`, for the examples at `indices` of one split of `num` storms."""
        drawn = "test" if split in _LEADS else split
        stream = functools.partial(numpy_generator, self.seed, drawn)
        draw = draw_vortices if self.kind == "smooth" else draw_cloud_storms
        storms = draw(stream, num, self.frame_interval)
        length = self.context + self.targets
        gaps = (num, length + self.windows - 2)
        spread = stream("times").uniform(-1, 1, gaps)
        intervals = self.frame_interval * (1 + self.irregularity * spread) * self.interval_scale
        if missing := _MISSING[self.kind] if self.missing is None else self.missing:
            lost = stream("missing").geometric(1 - missing, gaps) - 1
            intervals *= 1 + np.minimum(lost, _MOST_MISSING)
        starts = np.zeros((num, 1))
        frames = np.concatenate([starts, np.cumsum(np.maximum(np.rint(intervals), 1), 1)], 1)
        # A storm's own time 0 is in the middle of its frames.
        frames -= frames[:, [self.context - 1 + (self.windows - 1) // 2]]
        storm, window = np.divmod(indices, self.windows)
        times = frames[storm[:, None], window[:, None] + np.arange(length)]  # [n, N + M]
        origins = times[:, self.context - 1].copy()
        times -= origins[:, None]
        times[:, self.context :] *= self.lead_scale * _LEADS.get(split, 1.0)
        names = [(drawn, *pair) for pair in zip(storm.tolist(), window.tolist(), strict=True)]
        return _Seen(storms[storm], origins, times.astype(np.float32), names)


class _Seen(NamedTuple):
    """Examples, before they are rendered.

    Attributes:
      storms: that of each example, [n].
      origins: where its time 0 lies in the storm's own time, seconds, [n].
      times: of its frames, seconds, float32 [n, N + M].
      names: its split, the number of its storm, and that of its first frame in the storm, [n].
    """

    storms: _Storms
    origins: np.ndarray
    times: np.ndarray
    names: list[tuple[str, int, int]]


def _render(storms: _Storms, times: np.ndarray, size: int) -> np.ndarray:
    """uint8 levels [S, T, size, size, 1] at times [S, T]."""
    if isinstance(storms, Vortices):
        return render(storms, times, size)
    return render_clouds(storms, times, size)


class _Rendered(Examples):
    """Examples that are rendered as they are read."""

    def __init__(self, source: SyntheticStorms, seen: _Seen, groups: np.ndarray):
        self._source, self._seen, self._groups = source, seen, groups
        self._noise = _NOISE[source.kind] if source.noise is None else source.noise

    def __len__(self) -> int:
        return len(self._seen.times)

    def groups(self) -> np.ndarray:
        """The number of each example's storm."""
        return self._groups

    def take(self, indices: Sequence[int]) -> list[Example]:
        source, seen = self._source, self._seen
        chosen = np.asarray(indices, int)
        times = seen.times[chosen]
        frames = _render(seen.storms[chosen], seen.origins[chosen, None] + times, source.size)
        return [
            forecast_example(self._noisy(f, seen.names[i]), t, source.context)
            for i, f, t in zip(chosen, frames, times, strict=True)
        ]

    def _noisy(self, frames: np.ndarray, name: tuple[str, int, int]) -> np.ndarray:
        """The frames of one example, uint8 [N + M, H, W, 1], as a camera sees them."""
        split, storm, first = name
        numbers = [f"{storm}/{first + k}" for k in range(len(frames))]
        draws = [numpy_generator(self._source.seed, split, "sensor", n) for n in numbers]
        return sensor_noise(frames, self._noise, draws)


class _Kept(_Rendered):
    """Those whose rendering takes so long that it is done once."""

    worth_keeping = 256

    @functools.cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """A hash of all that they are made from."""
        seen = self._seen
        parts = (LAW, self._source, seen.names, seen.origins.tolist(), seen.times.tolist())
        return hashlib.sha1(repr(parts).encode()).hexdigest()
