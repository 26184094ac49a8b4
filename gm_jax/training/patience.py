"""The figure that a run is watched by, and when to stop because it gets no better."""

import re
from typing import Any

from gm_jax.experiment import Experiment

_BETTER_WHEN_LARGE = (
    "accuracy",
    "classes_covered",
    "label_agreement",
    "psnr",
    "read_surely",
    "ssim",
)


def monitor_name(experiment: Experiment) -> str:
    """The validation figure that picks the best checkpoint: the experiment's, or the model's."""
    return experiment.training.monitor or experiment.model.monitor


def better_when_large(name: str) -> bool:
    """Whether a figure of this name surely is; `training.monitor_mode` says how it is taken."""
    return re.sub(r"_t\d+$", "", name) in _BETTER_WHEN_LARGE  # ssim_t1: of the first frame


class Patience:
    """Early stopping, replayed from the record so that a resumed run stops where it would have."""

    def __init__(self, experiment: Experiment, records: list[dict[str, Any]]):
        """`records` are the lines of the run so far."""
        self._name = monitor_name(experiment)
        self._sign = 1.0 if experiment.training.monitor_mode == "min" else -1.0
        self._patience = experiment.training.patience
        self._best: float | None = None
        self._bad = 0  # validations in a row without a better figure
        for record in records:
            value = record.get(self._name)
            if record.get("phase") == "valid" and isinstance(value, int | float):
                self.see(value)

    def see(self, value: float) -> None:
        """Takes note of a validation."""
        if self._best is None or self._sign * value < self._sign * self._best:
            self._best, self._bad = value, 0
        else:
            self._bad += 1

    @property
    def exhausted(self) -> bool:
        """Whether to stop."""
        return self._patience is not None and self._bad >= self._patience
