"""What several commands are asked in the same way: which run, which checkpoint, which class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gm_jax.ensemble import Ensemble
from gm_jax.errors import UserError
from gm_jax.run import Run, open_run


def opened(folder: Path, step: str | None = None, experiment: str | None = None) -> Run:
    """The run in a folder, at the checkpoint of --step, with the classes of --experiment."""
    return open_run(folder, parse_step(step), experiment)


def opened_together(
    folders: Sequence[Path], step: str | None = None, experiment: str | None = None
) -> Ensemble:
    """The runs in several folders as an ensemble, each as `opened`."""
    return Ensemble([opened(folder, step, experiment) for folder in folders])


def parse_step(step: str | None) -> Any:
    """A step number, "latest", "best" or None.

    Raises:
      UserError: for anything else.
    """
    if step is None or step in ("latest", "best"):
        return step
    if not step.isdecimal():
        raise UserError(f'--step must be a number, "latest" or "best", not {step}')
    return int(step)


def check_label(run: Run, label: int) -> int:
    """A label the data have.

    Raises:
      UserError: for a label out of range, or data without labels.
    """
    num_classes = run.spec.num_classes
    if num_classes is None:
        raise UserError(f"--label {label}: the data of {run.folder} have no labels")
    if not 0 <= label < num_classes:
        raise UserError(f"--label must be 0 to {num_classes - 1}, not {label}")
    return label


def check_images(run: Run) -> None:
    """Looks whether a run is one of images, as grids need.

    Raises:
      UserError: where it was trained on points.
    """
    if run.spec.continuous:
        raise UserError(f"{run.folder} was trained on points: only images can be laid in rows")
