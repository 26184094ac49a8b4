"""Whether a run gives again what a record says. Needs no jax."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from gm_jax.results.record import Record

_FAR = 3.0  # standard deviations
_KEPT = 1e-5  # of a figure's size: records keep six digits


class Again(NamedTuple):
    """A figure of a record, and of a run of the same recipe and seed.

    Attributes:
      name: of the figure.
      recorded: its value in the record.
      measured: its value now.
      deviations: how far they are apart, in standard deviations over seeds; where fewer than three
        seeds are recorded, in standard errors of the record's figure. None where there is neither.
    """

    name: str
    recorded: float
    measured: float
    deviations: float | None

    @property
    def is_same(self) -> bool:
        """Whether the digits that are kept are the same."""
        return math.isclose(self.recorded, self.measured, rel_tol=_KEPT, abs_tol=1e-12)

    @property
    def is_near(self) -> bool:
        """Whether it is the same, or within three standard deviations."""
        return self.is_same or (self.deviations is not None and self.deviations <= _FAR)


def again(measured: Record, recorded: Sequence[Record]) -> list[Again]:
    """Figures of a run beside those of the record of its recipe and seed.

    Args:
      measured: of the run.
      recorded: the records of its experiment.

    Returns:
      A line for each figure that both have; none where there is no such record.
    """
    seeds = [r for r in recorded if (r.name, r.digest) == (measured.name, measured.digest)]
    return [
        _line(name, figure.value, measured.figures[name].value, figure.stderr, seeds)
        for record in seeds
        if record.seed == measured.seed
        for name, figure in record.figures.items()
        if name in measured.figures
    ]


def _line(name: str, old: float, new: float, stderr: float, seeds: Sequence[Record]) -> Again:
    values = [r.figures[name].value for r in seeds if name in r.figures]
    spread = statistics.stdev(values) if len(values) >= 3 else stderr
    return Again(name, old, new, abs(new - old) / spread if spread else None)
