"""Values of any kind as levels 0 .. L - 1."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError

_MOST_LEVELS = 256
_CHUNK = 2**25  # bytes looked at together


class Extremes(NamedTuple):
    """The least and the greatest value; NaN where there is one."""

    low: float
    high: float


def find_extremes(images: np.ndarray) -> Extremes:
    """Of an array [N, ...] with N > 0, read part by part."""
    found = [Extremes(part.min().item(), part.max().item()) for _, part in _parts(images)]
    if any(np.isnan(part.low) for part in found):
        return Extremes(np.nan, np.nan)
    return Extremes(min(part.low for part in found), max(part.high for part in found))


def _parts(images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Pairs of the number of the first image, and images."""
    step = max(1, _CHUNK // max(1, images[:1].nbytes))
    for start in range(0, len(images), step):
        yield start, np.asarray(images[start : start + step])


@dataclasses.dataclass(frozen=True)
class Quantizer:
    """Makes levels of values.

    Whole numbers from a to b fall into L bins of b - a + 1 values in all, as equal as they can be:
    floor((x - a) L / (b - a + 1)). Real numbers do into L bins of one width, of which b belongs to
    the last: min(floor((x - a) L / (b - a)), L - 1).

    Attributes:
      num_levels: L.
      low: a.
      high: b.
      is_whole: whether values are whole numbers.
      is_identity: whether they are levels already.
    """

    num_levels: int
    low: float
    high: float
    is_whole: bool
    is_identity: bool

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """uint8 levels of values in [low, high], of the same shape."""
        if self.is_identity:
            return values.astype(np.uint8)
        if self.is_whole:
            low, num = int(self.low), int(self.high) - int(self.low) + 1
            if num * self.num_levels < 2**63 and abs(low) < 2**62:
                return ((values.astype(np.int64) - low) * self.num_levels // num).astype(np.uint8)
        x = (values.astype(np.float64) - self.low) / (self.high - self.low) * self.num_levels
        return np.clip(np.floor(x), 0, self.num_levels - 1).astype(np.uint8)


def choose_quantizer(
    images: np.ndarray,
    where: str,
    span: tuple[float, float] | None = None,
    num_levels: int | None = None,
) -> Quantizer:
    """How an array becomes levels; looks at all its values.

    Args:
      images: [N, ...], N > 0.
      where: it is from, for messages.
      span: the least and the greatest value there can be.
      num_levels: L; None: 256, or as many as there are whole numbers in the span.

    Raises:
      UserError: these are no numbers; real numbers without a span, or whole ones that need one; a
        value outside of it, or one that is not finite.
    """
    kind, dtype = images.dtype.kind, images.dtype
    if kind == "b":
        if span is not None or num_levels not in (None, 2):
            raise UserError(f"{where} is True and False, which are 2 levels: leave out the range")
        return Quantizer(2, 0, 1, is_whole=True, is_identity=True)
    if kind not in "iuf":
        raise UserError(f"{where} holds {dtype}, which are no numbers from a range")
    if kind in "iu" and span is None:
        return _whole_levels(images, where, num_levels)
    found = find_extremes(images)
    if not np.isfinite([found.low, found.high]).all():
        number = _first(images, lambda part: ~np.isfinite(part))
        raise UserError(f"{where} has a value that is not finite, in image {number}")
    if span is None:
        raise UserError(
            f"{where} is {dtype} from {found.low:g} to {found.high:g}: say which range such values "
            "are from by range=(low, high), and they become levels",
            "--data.range LOW HIGH",
        )
    # As exact as the values are: 0.1 in float32 lies above 0.1.
    low, high = span if kind in "iu" else (dtype.type(span[0]).item(), dtype.type(span[1]).item())
    if found.low < low or found.high > high:
        number = _first(images, lambda part: (part < low) | (part > high))
        worst = found.high if found.high > high else found.low
        raise UserError(
            f"{where} has the value {worst:g}, outside of the range {span[0]:g} to {span[1]:g}: "
            f"image {number} is the first with such a one"
        )
    if kind == "f":
        levels = num_levels or _MOST_LEVELS
        return Quantizer(levels, *span, is_whole=False, is_identity=False)
    if any(v != int(v) for v in span):
        raise UserError(f"{where} is {dtype}: its range must be whole numbers, not {span}")
    values = int(span[1]) - int(span[0]) + 1
    levels = min(values, _MOST_LEVELS) if num_levels is None else num_levels
    if levels > values:
        raise UserError(
            f"{where} has {values} values in the range {span[0]:g} to {span[1]:g}, which cannot "
            f"become {levels} levels: give {values} or fewer"
        )
    return Quantizer(levels, *span, is_whole=True, is_identity=span[0] == 0 and values == levels)


def _whole_levels(images: np.ndarray, where: str, num_levels: int | None) -> Quantizer:
    """Of whole numbers that are levels already."""
    levels = num_levels or _MOST_LEVELS
    if images.dtype != np.uint8 or levels < _MOST_LEVELS:
        low, high = find_extremes(images)
        if num_levels is None and (low < 0 or high >= levels):
            raise UserError(
                f"{where} is {images.dtype} from {low} to {high}, and levels are 0 to 255: say "
                "which range such values are from by range=(low, high), and they become levels",
                "--data.range LOW HIGH",
            )
        if low < 0 or high >= levels:
            raise UserError(
                f"{where} has the level {low if low < 0 else high}, but num_levels is {levels}: "
                f"levels are 0 to {levels - 1}"
            )
    return Quantizer(levels, 0, levels - 1, is_whole=True, is_identity=True)


def _first(images: np.ndarray, is_bad: Callable[[np.ndarray], np.ndarray]) -> int:
    """The number of the first image with a bad value."""
    for start, part in _parts(images):
        bad = is_bad(part).reshape(len(part), -1).any(1)
        if bad.any():
            return start + int(bad.argmax())
    raise AssertionError("there is none")
