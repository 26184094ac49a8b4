"""Metrics between two lines of the record: not fetched yet, or not averaged yet."""

import math
import re
from collections.abc import Iterable

import jax
import numpy as np

from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, field_paths
from gm_jax.model import Metrics
from gm_jax.training.checkpoint import Checkpoints, Rows

_MOST_AHEAD = 2  # dispatches that the host may be ahead of the device


class NonFiniteError(UserError):
    """A loss or a gradient was NaN or infinite."""


class Pending:
    """The metrics of the steps since the last line of the record.

    They stay on the device until somebody asks, so that the loop never waits for it. `rows` is kept
    with a checkpoint that is saved between two lines: averaged over the whole interval, they make
    the record of a resumed run that of a straight one.
    """

    def __init__(self, rows: Iterable[dict[str, float]] = ()):
        """Starts with what was kept."""
        self._on_device: list[tuple[int, Metrics]] = []
        self.rows: Rows = list(rows)

    def add(self, step: int, metrics: Metrics) -> None:
        """Adds the metrics [K] of one dispatch, whose last step is `step`."""
        self._on_device.append((step, metrics))
        if len(self._on_device) > _MOST_AHEAD:
            jax.block_until_ready(self._on_device[-1 - _MOST_AHEAD][1])

    def fetch(self) -> tuple[int, dict[str, float]] | None:
        """Moves everything to `rows`, up to the first step that gave what is not finite.

        Returns:
          That step and its metrics, or None.
        """
        fetched, self._on_device = self._on_device, []
        for last, metrics in fetched:
            host = {name: np.asarray(v) for name, v in metrics.items()}
            size = len(next(iter(host.values())))
            for i in range(size):
                row = {name: float(v[i]) for name, v in host.items()}
                if not all(map(math.isfinite, row.values())):
                    return last - size + 1 + i, row
                self.rows.append(row)
        return None

    def take_means(self) -> dict[str, float]:
        """The means of `rows`, which is empty afterwards."""
        rows, self.rows = self.rows, []
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def non_finite_error(
    experiment: Experiment, checkpoints: Checkpoints, step: int, figures: dict[str, float]
) -> NonFiniteError:
    """The line that says which figures of a step are not finite, what is kept, and what to try."""
    good = checkpoints.latest()
    kept = (
        f"the last good checkpoint is step {good} in {checkpoints.folder}"
        if good is not None
        else "no checkpoint had been saved yet"
    )
    bad = {name: value for name, value in figures.items() if not math.isfinite(value)}
    names = ", ".join(f"{name} = {value}" for name, value in bad.items())
    paths = field_paths(experiment)

    def fields(name: str) -> str:
        """Those of that name: one for each optimizer."""
        return " or ".join(p for p in paths if p.split(".")[-1] == name) or name.replace("_", " ")

    hint = experiment.model.non_finite_hint
    hint = hint or f"try a smaller {fields('learning_rate')}, or {fields('clip_norm')} 1"
    flags = [
        f"--{p.replace('_', '-')}" for p in paths if re.search(rf"(?<![\w.]){p}(?![\w.])", hint)
    ]
    options = ", ".join(flags) or None
    return NonFiniteError(f"step {step} gave {names}; {kept}; {hint}", options)
