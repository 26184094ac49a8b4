"""How the trainings of a sweep ended: what is told of them at its end, and what was done before."""

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from gm_jax.cli.report import LABELS, say
from gm_jax.cli.sweeps.grid import Trial
from gm_jax.errors import UserError


class Outcome(NamedTuple):
    """How a training ended.

    Attributes:
      code: its exit code.
      reason: why it failed, where it did.
    """

    code: int
    reason: str = ""


DONE = Outcome(0)


def is_done(trial: Trial) -> bool:
    """Whether this very experiment was trained and evaluated before."""
    from gm_jax.experiment_json import to_plain
    from gm_jax.training.folder import RunFolder

    try:
        same = RunFolder(trial.folder).record().get("experiment") == to_plain(
            trial.training.experiment
        )
    except UserError:  # no run yet, or one of which training says what is wrong
        return False
    return same and bool(test_figures(trial))


def test_figures(trial: Trial) -> dict[str, Any]:
    """The closing figures of a run that is trained to its end; else nothing."""
    from gm_jax.training.folder import RunFolder
    from gm_jax.training.records import read_records

    *_, last = [{}, *read_records(RunFolder(trial.folder).metrics)]
    return last if last.get("phase") == "test" else {}


def tell(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> int:
    """A table of settings, figure, processor time and folder, what failed, and what comes next.

    Returns:
      The exit code of the sweep: 0, or that of the first failure.
    """
    for i, line in enumerate(table(trials, outcomes)):
        say("" if i else "sweep", line)
    failed = [(t, o) for t, o in zip(trials, outcomes, strict=True) if o.code]
    for i, (trial, outcome) in enumerate(failed):
        say("" if i else "failed", f"{trial.folder}: {outcome.reason}")
    done = [str(t.folder) for t, o in zip(trials, outcomes, strict=True) if not o.code]
    if done:
        say("next", shlex.join(["gm-jax", "report", *done]))
    return failed[0][1].code if failed else 0


def table(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> list[str]:
    """Lines with a heading, in columns."""
    from gm_jax.training.folder import RunFolder
    from gm_jax.training.records import read_records, spent

    told = [test_figures(trial) for trial in trials]
    figure = next((headline(t, f) for t, f in zip(trials, told, strict=True) if f), "figure")
    rows = [[*trials[0].settings, LABELS.get(figure, figure), "core-min", "run"]]
    for trial, outcome, figures in zip(trials, outcomes, told, strict=True):
        value, error = figures.get(figure), figures.get("stderr", {}).get(figure)
        shown = f"{value:.4f}" if isinstance(value, float) else str(value or "-")
        shown += f" ± {error:.4f}" if isinstance(error, float) else ""
        minutes = spent(read_records(RunFolder(trial.folder).metrics)).cpu_seconds / 60
        ended = "failed" if outcome.code else shown
        rows.append([*trial.settings.values(), ended, f"{minutes:.1f}", str(trial.folder)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [str.ljust] * len(trials[0].settings) + [str.rjust, str.rjust, str.ljust]
    return [
        "   ".join(
            align(cell, width) for align, cell, width in zip(aligned, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def headline(trial: Trial, figures: dict[str, Any]) -> str:
    """The figure that trainings are compared by: what the experiment names, or the foremost."""
    from gm_jax.evaluation.foremost import foremost
    from gm_jax.training.folder import RunFolder
    from gm_jax.training.patience import monitor_name
    from gm_jax.training.summary import levels_of

    experiment = trial.training.experiment
    named = experiment.training.monitor
    if named in figures:
        return named
    levels = levels_of(RunFolder(trial.folder).record())
    return foremost(figures, levels, figures.get("kinds")) or monitor_name(experiment)
