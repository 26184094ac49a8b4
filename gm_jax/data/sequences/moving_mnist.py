"""Moving MNIST: digits that bounce in a box, made on the fly."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from gm_jax.data.sequences.checks import forecast_example, forecast_spec
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.data.store.places import find_path, short_path
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.data.store.tfds import Tfds
from gm_jax.errors import ConfigError, UserError, check_not_negative, check_positive, one_line
from gm_jax.rng import numpy_generator

# The digits of each split; those to choose a model by are seen neither in training nor in the test.
_DIGITS = {"train": "train[:90%]", "validation": "train[90%:]", "test": "test"}


@dataclasses.dataclass(frozen=True)
class MovingMnist(Source):
    """Two digits bouncing in a box of 64x64, 10 known frames and 10 wanted ones, a second apart.

    The recipe of Srivastava et al. 2015 (arXiv:1502.04681): a digit starts anywhere in the box and
    moves in any direction by a tenth of its free way a frame; at a wall it stops short and is
    reflected; where digits overlap the brighter pixel counts. Each sequence is a function of the
    seed, the split and its number. "train" is made of nine tenths of the set's training digits,
    "validation" (also "valid") of the others, "test" of its test digits.

    Examples are as those of `SyntheticStorms`: "image", "context", "context_time" and "time".
    """

    source: Source = Tfds("mnist")
    """Of the digits; with splits "train" and "test"."""
    context: int = 10
    """Known frames of an example, N."""
    targets: int = 10
    """Wanted frames of an example, M."""
    size: int = 64
    """Height and width of the box."""
    num_digits: int = 2
    """In the box."""
    step: float = 0.1
    """Of the way that a digit has between two walls, in a frame."""
    num_train: int = 10_000
    """Sequences in "train"."""
    num_validation: int = 1_000
    """Sequences in "validation"."""
    num_test: int = 10_000
    """Sequences in "test"."""
    seed: int = 0
    """Of the sequences; that of the experiment changes their order only."""
    test_file: pathlib.Path | str | None = None
    """The published mnist_test_seq.npy, uint8 [N + M, K, size, size]: its sequences are "test"
    then, instead of `num_test` that are made. From the working folder, or else a data folder."""

    def __post_init__(self) -> None:
        if self.test_file is not None:
            object.__setattr__(self, "test_file", str(self.test_file))
        check_positive(self, "context", "targets", "size", "num_digits", "step")
        check_positive(self, "num_train", "num_validation", "num_test")
        check_not_negative(self, "seed")
        if not isinstance(self.source, Source):
            raise ConfigError(f"MovingMnist.source must be a Source, not {self.source!r}")

    @property
    def spec(self) -> DataSpec:
        digit = self.source.spec
        if digit.continuous:
            raise ConfigError("MovingMnist.source gives points, and digits are images")
        height, width, channels = digit.shape
        if not 0 < max(height, width) < self.size:
            raise ConfigError(
                f"MovingMnist.size {self.size} leaves no way to digits of {width}x{height}"
            )
        spec = forecast_spec((self.size, self.size, channels), self.context, self.targets)
        return dataclasses.replace(spec, num_levels=digit.num_levels)

    def open(self, split: str) -> Examples:
        published = self._published()
        num_test = self.num_test if published is None else published.shape[1]
        sizes = {"train": self.num_train, "validation": self.num_validation, "test": num_test}
        parts = split_indices(split, sizes)
        spec = self.spec
        if published is not None and any(name == "test" for name, _ in parts):
            if any(name != "test" for name, _ in parts):
                raise UserError(
                    f"{split!r} joins sequences of {self.test_file} with others, which lie in no "
                    "file: open them one by one"
                )
            rows = np.concatenate([indices for _, indices in parts])
            return _Published(published, rows, self.context)
        pieces, offset = [], 0
        digits = []
        for name, indices in parts:
            own = self._digits(name)
            which, corners = self._draw(name, sizes[name], len(own), own.shape[1:3])
            pieces.append((which[indices] + offset, corners[indices]))
            digits.append(own)
            offset += len(own)
        which, corners = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        return _Bouncing(np.concatenate(digits), which, corners, spec, self.context)

    def summary(self) -> str:
        """One line: how many sequences, and of what."""
        return (
            f"{self.num_digits} digits of {self.source.summary() or type(self.source).__name__} "
            f"bouncing in {self.size}x{self.size}: {self.num_train:,} train / "
            f"{self.num_validation:,} validation / {self._test_summary()}; "
            f"{self.context} + {self.targets} frames, 1 s apart"
        )

    def _test_summary(self) -> str:
        published = self._published()
        if published is None:
            return f"{self.num_test:,} test"
        assert self.test_file is not None
        where = short_path(find_path(self.test_file, "file"))
        return f"{published.shape[1]:,} test of {where}"

    def _published(self) -> np.ndarray | None:
        """The sequences of the file, uint8 [N + M, K, H, W], where there is one; not read yet.

        Raises:
          UserError: it cannot be read, or its sequences are not like those that are made.
        """
        if self.test_file is None:
            return None
        path = find_path(self.test_file, "file")
        if path.suffix.lower() != ".npy" or not path.is_file():
            raise UserError(f"{path} is no file of sequences: give an .npy as mnist_test_seq.npy")
        try:
            frames = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            reason = getattr(error, "strerror", None) or one_line(error)
            raise UserError(f"{path} cannot be read as .npy ({reason}): copy it again") from error
        length, num_levels = self.context + self.targets, self.spec.num_levels
        wanted = [length, max(frames.shape[1] if frames.ndim > 1 else 1, 1), self.size, self.size]
        if frames.dtype != np.uint8 or list(frames.shape) != wanted or num_levels != 256:
            raise UserError(
                f"{path} is {frames.dtype} {list(frames.shape)}, and sequences of {self.context} + "
                f"{self.targets} frames are uint8 [{length}, K, {self.size}, {self.size}]"
            )
        return frames

    def _digits(self, split: str) -> np.ndarray:
        """The digits of a split, uint8 [K, h, w, C]."""
        digits = self.source.open(_DIGITS[split])
        # As a split, because that keeps what has been decoded.
        read = Split(digits, self.source.spec, name=_DIGITS[split], resident_bytes=2**62)
        assert read.arrays is not None
        return read.arrays["image"]

    def _draw(
        self, split: str, num: int, num_digits: int, digit_size: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The sequences of a split.

        Returns:
          Their digits [num, D], and the digits' upper left corners, row and column, in every frame,
          [num, N + M, D, 2].
        """
        stream = functools.partial(numpy_generator, self.seed, split)
        which = stream("digits").integers(0, num_digits, (num, self.num_digits))
        start = stream("start").uniform(0, 1, (num, self.num_digits, 2))
        angle = stream("angle").uniform(0, 2 * np.pi, (num, self.num_digits))
        step = self.step * np.stack([np.sin(angle), np.cos(angle)], -1)
        ways = bounce(start, step, self.context + self.targets)  # [T, num, D, 2]
        free = self.size - np.array(digit_size)
        return which, np.moveaxis(ways * free, 0, 1).astype(np.int64)


def bounce(start: np.ndarray, step: np.ndarray, num_frames: int) -> np.ndarray:
    """Points that move straight on in [0, 1] and are reflected where they would leave it.

    Args:
      start: positions [...], in [0, 1].
      step: of each frame [...].
      num_frames: T.

    Returns:
      Positions [T, ...] after 1, .., T steps. At the wall a point stops for the rest of the step.
    """
    position, step = np.array(start), np.array(step)
    found = []
    for _ in range(num_frames):
        position = position + step
        step = np.where((position <= 0) | (position >= 1), -step, step)
        position = np.clip(position, 0, 1)
        found.append(position)
    return np.stack(found)


class _Published(Examples):
    """Sequences of a file, a second apart."""

    def __init__(self, frames: np.ndarray, rows: np.ndarray, context: int):
        self._frames, self._rows, self._context = frames, rows, context

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        frames = np.asarray(self._frames[:, self._rows[index]])[..., None]
        return forecast_example(frames, np.arange(len(frames)), self._context)


class _Bouncing(Examples):
    """Sequences that are drawn as they are read."""

    def __init__(
        self,
        digits: np.ndarray,
        which: np.ndarray,
        corners: np.ndarray,
        spec: DataSpec,
        context: int,
    ):
        self._digits, self._which, self._corners = digits, which, corners
        self._shape, self._context = spec.shape[1:], context

    def __len__(self) -> int:
        return len(self._which)

    def take(self, indices: Sequence[int]) -> list[Example]:
        which = self._which[np.asarray(indices, int)]  # [n, D]
        corners = self._corners[np.asarray(indices, int)]  # [n, T, D, 2]
        num, num_frames = corners.shape[:2]
        frames = np.zeros((num, num_frames, *self._shape), np.uint8)
        # Every place where a digit fits, as a view: [n, T, row, column, C, h, w].
        places = np.lib.stride_tricks.sliding_window_view(
            frames, self._digits.shape[1:3], axis=(2, 3), writeable=True
        )
        sequence, frame = np.ogrid[:num, :num_frames]
        for d in range(which.shape[1]):
            at = (sequence, frame, corners[:, :, d, 0], corners[:, :, d, 1])
            digit = np.moveaxis(self._digits[which[:, d]], -1, 1)[:, None]  # [n, 1, C, h, w]
            places[at] = np.maximum(places[at], digit)
        seconds = np.arange(num_frames)
        return [forecast_example(f, seconds, self._context) for f in frames]
