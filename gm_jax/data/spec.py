"""What a model has to know of the data it is given."""

import dataclasses
import math
from typing import Literal

import numpy as np

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError

_TAKEN = ("image", "label", "index", "mask")


@dataclasses.dataclass(frozen=True)
class Extra(Config):
    """A further array of every example, beside "image" and "label".

    Attributes:
      name: in a batch; not one of the names that a batch has anyway.
      shape: of one example's array.
      dtype: "uint8" holds levels of the same alphabet as the image, "float32" finite numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "float32", "int32"] = "float32"

    def __post_init__(self) -> None:
        if self.name in _TAKEN:
            raise ConfigError(f"Extra.name cannot be {self.name}: every batch has its own")

    @property
    def num_bytes(self) -> int:
        """Of one example's array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


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
    """

    shape: tuple[int, ...]
    num_levels: int = 256
    num_classes: int | None = None
    continuous: bool = False
    extras: tuple[Extra, ...] = ()
    thresholds: tuple[int, ...] = ()

    @property
    def num_dims(self) -> int:
        """D, the number of values in one example's image (in all its wanted frames)."""
        return math.prod(self.shape)

    @property
    def is_sequence(self) -> bool:
        """Whether an example is a sequence of frames that others are to be forecast from."""
        return len(self.shape) == 4
