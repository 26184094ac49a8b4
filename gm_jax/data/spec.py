"""What a model has to know of the data it is given."""

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError, check_positive

_TAKEN = ("image", "label", "index", "mask")


@dataclasses.dataclass(frozen=True)
class Extra(Config):
    """A further array of every example, beside "image" and "label".

    Attributes:
      name: in a batch; not one of the names that a batch has anyway.
      shape: of one example's array.
      dtype: "uint8" holds levels of the same alphabet as the image, "float32" finite numbers.
      condition: whether a model is told it beside what every forecast starts from, such as the
        ocean that a storm is over; one that is not is there for whoever wants it.
      num_values: an int32 one holds 0 .. num_values - 1.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "float32", "int32"] = "float32"
    condition: bool = False
    num_values: int | None = None

    def __post_init__(self) -> None:
        check_positive(self, "num_values")
        if self.name in _TAKEN:
            raise ConfigError(f"Extra.name cannot be {self.name}: every batch has its own")

    @property
    def num_bytes(self) -> int:
        """Of one example's array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True)
class Columns(Config):
    """What the values of a point are, where they are the columns of a table.

    Attributes:
      names: of the columns, one for each value.
      shift: what a model subtracts from each value; none: values enter it as they are.
      scale: what it divides them by then, greater than 0; as many as shift.
      label: name of the column that labels come from, if any.
      classes: what the labels 0, 1, ... are called there.
    """

    names: tuple[str, ...]
    shift: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    label: str | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_positive(self, "scale")
        if len(self.shift) != len(self.scale) or len(self.shift) not in (0, len(self.names)):
            raise ConfigError(
                f"Columns.shift and scale need a number for each of {len(self.names)} columns, or "
                f"none, not {len(self.shift)} and {len(self.scale)}"
            )


@dataclasses.dataclass(frozen=True)
class DataSpec(Config):
    """Shape and alphabet of one example.

    Attributes:
      shape: of one image, [H, W, C]; of the wanted frames of a sequence, [M, H, W, C].
      num_levels: images hold integers 0 .. num_levels - 1 (256 for plain 8-bit images).
      num_classes: labels hold integers 0 .. num_classes - 1; None where there are no labels.
      continuous: values are float32 real numbers (points), and num_levels means nothing.
      extras: further arrays of an example, such as the frames that a forecast starts from.
      thresholds: levels from which on a pixel is an event, such as rain, that forecasts are
        counted by.
      columns: of points that come from a table; batches, samples and densities are in its own
        units, and models standardize inside.
      missing: the level that stands for a pixel nobody saw, in images that are to be made: it
        counts in no loss and no figure. None: all were seen.
    """

    shape: tuple[int, ...]
    num_levels: int = 256
    num_classes: int | None = None
    continuous: bool = False
    extras: tuple[Extra, ...] = ()
    thresholds: tuple[int, ...] = ()
    columns: Columns | None = None
    missing: int | None = None

    def seen(self, levels: Any) -> Any:
        """Where pixels of images were seen, bool of their shape; None where all were."""
        return None if self.missing is None else levels != self.missing

    @property
    def conditions(self) -> tuple[Extra, ...]:
        """The extras that a model is told."""
        return tuple(extra for extra in self.extras if extra.condition)

    @property
    def num_dims(self) -> int:
        """D, the number of values in one example's image (in all its wanted frames)."""
        return math.prod(self.shape)

    @property
    def is_sequence(self) -> bool:
        """Whether an example is a sequence of frames that others are to be forecast from."""
        return len(self.shape) == 4

    def standardized(self, points: Any) -> Any:
        """Points [..., D] in the units that models learn in; as they are, unless `columns` says."""
        if self.columns is None or not self.columns.scale:
            return points
        shift, scale = self._affine(points.ndim)
        return (points - shift) / scale

    def restored(self, values: Any) -> Any:
        """The inverse of `standardized`."""
        if self.columns is None or not self.columns.scale:
            return values
        shift, scale = self._affine(values.ndim)
        return shift + scale * values

    @property
    def log_scale(self) -> float:
        """What to add to -log p of standardized points, for that of the points; nats."""
        return 0.0 if self.columns is None else math.fsum(map(math.log, self.columns.scale))

    def _affine(self, ndim: int) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale, float32 [1, ..., D]."""
        assert self.columns is not None
        columns = np.array([self.columns.shift, self.columns.scale], np.float32)
        shift, scale = columns.reshape(2, *[1] * (ndim - 1), -1)
        return shift, scale
