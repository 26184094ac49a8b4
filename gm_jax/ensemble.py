"""Runs that forecast the same data, as one forecast with a spread.

members = gm_jax.Ensemble([gm_jax.open("runs/seed-0"), gm_jax.open("runs/seed-1")])
mean = members.forecast(batch, batch["time"]).mean
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gm_jax.data.sequences.checks import extra_shape
from gm_jax.errors import UserError
from gm_jax.evaluation.forecasts import LeadTimes, evaluate_lead_times
from gm_jax.evaluation.other_times import evaluate_other_times
from gm_jax.model import Family, TrainState, require
from gm_jax.run import Run


class EnsembleForecast(NamedTuple):
    """What the members of an ensemble say.

    Attributes:
      members: uint8 levels [R, B, M', H, W, C].
    """

    members: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Of the members: levels, float32 [B, M', H, W, C]."""
        return self.members.mean(0, dtype=np.float32)

    @property
    def spread(self) -> np.ndarray:
        """Their standard deviation, with R - 1 in the denominator: levels, float32, as `mean`."""
        return self.members.std(0, ddof=1, dtype=np.float32)


class Ensemble:
    """Runs of one kind of data, such as a recipe trained with several seeds.

    Attributes:
      runs: by name: "member 1", "member 2", ... in the order given.
    """

    def __init__(self, runs: Sequence[Run]):
        """Of two or more runs; the first one's data are those that it is evaluated on.

        Raises:
          UserError: there are fewer, one is there twice, cannot forecast, or was trained on frames
            of another shape, on another number of known ones, or of levels.
        """
        if len(runs) < 2:
            raise UserError(f"an ensemble is of two runs or more, not of {len(runs)}")
        first = runs[0]
        seen = set()
        for run in runs:
            try:
                require(run.model, run.spec, "forecast")
            except UserError as error:
                raise error.of(str(run.folder)) from None
            if (place := (run.folder.resolve(), run.step)) in seen:
                raise UserError(f"{run.folder} is there twice: name each member once")
            seen.add(place)
            if (own := _kind(run)) != (wanted := _kind(first)):
                raise UserError(
                    f"{run.folder} forecasts from {own}, but {first.folder} from {wanted}: the "
                    "members of an ensemble take the same"
                )
        self.runs = {f"member {i}": run for i, run in enumerate(runs, 1)}

    @property
    def first(self) -> Run:
        """The first run."""
        return self.runs["member 1"]

    def forecast(self, context: Mapping[str, Any], times: Any) -> EnsembleForecast:
        """What each member says comes next; arguments and errors as `Run.forecast`."""
        return EnsembleForecast(np.stack([r.forecast(context, times) for r in self.runs.values()]))

    def evaluate_lead_times(self, split: str = "test") -> LeadTimes:
        """Figures by lead time of the mean, the members and the baselines.

        Among them the CRPS, and of the ensemble the ratio of its spread and its error.

        Args:
          split: of the first run's data.
        """
        data, size = self._data
        return evaluate_lead_times(self._members, data.open(split), size)

    def evaluate_other_times(self, split: str = "test") -> dict[str, LeadTimes]:
        """The same at other times, as `Run.evaluate_other_times`."""
        data, size = self._data
        return evaluate_other_times(self._members, data, split, size)

    @property
    def _members(self) -> dict[str, tuple[Family, TrainState]]:
        return {name: (run.model, run.state) for name, run in self.runs.items()}

    @property
    def _data(self) -> tuple[Any, int]:
        return self.first.experiment.data, self.first.experiment.evaluation.batch_size


def _kind(run: Run) -> str:
    """What a run forecasts from, in words that differ where two runs do not go together."""
    num, *size = extra_shape(run.spec, "context")
    shape = "x".join(map(str, size))
    told = "".join(f" and {extra.name}" for extra in run.spec.conditions)
    return f"{num} known frames of {shape} with {run.spec.num_levels} levels{told}"
