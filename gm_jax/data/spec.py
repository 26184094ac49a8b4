"""What a model has to know of the data it is given."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """Shape and alphabet of one example.

    Attributes:
      shape: of one image, [H, W, C].
      num_levels: images hold integers 0 .. num_levels - 1 (256 for plain 8-bit images).
      num_classes: labels hold integers 0 .. num_classes - 1; None where there are no labels.
      continuous: values are float32 real numbers (points), and num_levels means nothing.
    """

    shape: tuple[int, ...]
    num_levels: int = 256
    num_classes: int | None = None
    continuous: bool = False

    @property
    def num_dims(self) -> int:
        """D, the number of values in one example."""
        return math.prod(self.shape)
