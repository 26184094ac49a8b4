"""What is compared: a run or a record, as plain values. Needs no jax."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.results.settings import Settings

_DRAW_NOTHING = ("Autoencoder", "Classifier", "ConvLSTM", "SimVP", "UNetAttention")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One run, or the record of one.

    Attributes:
      name: of the recipe, e.g. digits/vae.
      seed: of the run.
      family: the model's class.
      recipe: the same text for entries that differ in their seed alone.
      settings: of the experiment; empty where they are not known.
      data: what its figures are figures of; those of other data do not stand beside them.
      levels: of the data's values; None of points.
      parameters: how many are learned; None where no checkpoint says.
      steps: of the training.
      examples: seen in training, repeated ones too.
      core_minutes: CPU time of training and validating.
      device_minutes: time of training times accelerators; None without.
      finished: whether it has figures of the split that it is compared by.
      figures: by name; those of samples are called NAME@FEATURES.
      folder: of the run; None of a record.
    """

    name: str
    seed: int
    family: str
    recipe: str
    settings: Settings
    data: Mapping[str, Any]
    levels: int | None
    parameters: int | None
    steps: int
    examples: int | None
    core_minutes: float
    device_minutes: float | None
    finished: bool
    figures: Mapping[str, Figure]
    folder: Path | None = None

    @property
    def draws(self) -> bool:
        """Whether its family draws images of its own, so that their quality can be measured."""
        return self.family not in _DRAW_NOTHING

    @property
    def where(self) -> str:
        """What a message calls it."""
        return self.name if self.folder is None else str(self.folder)


def check_same_data(entries: Sequence[Entry]) -> None:
    """Looks whether all figures are of the same images.

    Raises:
      UserError: where they are not; it names two entries and what differs.
    """
    first = entries[0]
    for other in entries[1:]:
        for path in dict.fromkeys((*first.data, *other.data)):
            ours, theirs = (e.data.get(path, "none") for e in (first, other))
            if ours != theirs:
                raise UserError(
                    f"{first.where} and {other.where} can't stand in one table: {path} is {ours} "
                    f"and {theirs}; compare runs of the same data"
                )
