"""What can be told of a run without opening it: from its record and what lies in its folder."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any, Literal

from gm_jax.errors import UserError
from gm_jax.evaluation.foremost import foremost
from gm_jax.training.folder import RunFolder, is_locked
from gm_jax.training.records import read_records

_PHASES = ("test", "valid", "train")

RunState = Literal["training", "finished", "stopped", "damaged"]


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """A run at a glance.

    Attributes:
      folder: of the run.
      experiment: its name.
      state: "training" while a process holds it; "stopped" before its last step, and not for want
        of patience.
      step: of the last checkpoint; 0 before there is one.
      num_steps: that it is to have.
      headline: its foremost figure, such as "test bits_per_dim 1.968"; empty before there is any.
      num_bytes: on disk.
    """

    folder: Path
    experiment: str
    state: RunState
    step: int
    num_steps: int
    headline: str
    num_bytes: int


def summarize(folder: Path) -> RunSummary:
    """What is known of the run in a folder; one whose record can't be read is damaged."""
    run = RunFolder(folder)
    num_bytes = _num_bytes(folder)
    try:
        plain = run.record()
        training = plain["experiment"]["training"]
        num_steps, patience = int(training["num_steps"]), training["patience"]
    except (UserError, KeyError, TypeError, ValueError):
        return RunSummary(folder, "", "damaged", 0, 0, "", num_bytes)
    records = read_records(run.metrics)
    step = max((int(p.name) for p in run.checkpoints.glob("*") if p.name.isdecimal()), default=0)
    tested = any(record.get("phase") == "test" for record in records)
    ended = step >= num_steps or (patience is not None and tested)
    state: RunState = "training" if is_locked(folder) else "finished" if ended else "stopped"
    figure = headline(records, training.get("monitor"), levels_of(plain))
    return RunSummary(folder, plain.get("name", ""), state, step, num_steps, figure, num_bytes)


def headline(records: list[dict[str, Any]], monitor: str | None, levels: int | None) -> str:
    """The foremost figure of the last line: of test, or else of validation, or of training.

    Args:
      records: the lines of a run.
      monitor: the figure that its experiment names, which stands before all others.
      levels: of the data's values; None of points.
    """
    for phase in _PHASES:
        last: dict[str, Any] = next((r for r in reversed(records) if r.get("phase") == phase), {})
        told = {name for name, value in last.items() if isinstance(value, int | float)}
        name = monitor if monitor in told else foremost(told, levels, last.get("kinds"))
        if name is not None:
            return f"{phase} {name} {last[name]:.4g}"
    return ""


def levels_of(plain: dict[str, Any]) -> int | None:
    """The levels of the data of a run by its experiment.json; None of points."""
    spec = plain.get("spec", {})
    return None if spec.get("continuous") else spec.get("num_levels", 256)


def _num_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone by now, as the run goes on
            total += path.lstat().st_size
    return total
