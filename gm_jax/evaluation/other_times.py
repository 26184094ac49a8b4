"""Whether forecasts answer the times asked for: at other distances, and told wrong times."""

import dataclasses
from collections.abc import Mapping

from gm_jax.data.config import AnyData
from gm_jax.evaluation.forecasts import LeadTimes, evaluate_lead_times
from gm_jax.model import Family, TrainState

SHUFFLED = "shuffled"


def evaluate_other_times(
    members: Mapping[str, tuple[Family, TrainState]], data: AnyData, split: str, batch_size: int
) -> dict[str, LeadTimes]:
    """Figures by lead time of a split's examples with other wanted times.

    Args:
      members: as `evaluate_lead_times`.
      data: of the examples.
      split: "train", "valid", "test" or a split expression.
      batch_size: sequences forecast at once.

    Returns:
      "half" and "double", at half and twice the distance, where the source has such splits
      (`Source.at_other_times`); and "shuffled": the split's own frames, with the methods told the
      times of other examples and lead times.

    Raises:
      UserError: as `evaluate_lead_times`.
    """
    others = data.source.at_other_times(data.expression(split))
    found = {
        name: evaluate_lead_times(members, data.open(other), batch_size)
        for name, other in others.items()
    }
    told = evaluate_lead_times(members, data.open(split), batch_size, shuffled=True)
    # Nobody asks which of them to use so.
    return {**found, SHUFFLED: dataclasses.replace(told, against={}, recommendation=None)}
