"""A figure: a mean over examples, and what it is worth. Needs no jax."""

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gm_jax.model import FigureKind


@dataclasses.dataclass(frozen=True)
class Figure:
    """A mean over a split.

    Attributes:
      value: the mean.
      kind: what it is worth: "exact", "bound" (of -log P of the discrete image), "surrogate" (a
        loss that bounds nothing), "error" (a distance) or "estimate".
      n: examples it is the mean of.
      stderr: standard error of the mean over examples.
    """

    value: float
    kind: "FigureKind"
    n: int
    stderr: float = 0.0

    def __float__(self) -> float:
        return self.value
