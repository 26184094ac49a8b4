"""A run out of its folder: the experiment, and the state of one of its checkpoints."""

import dataclasses
from pathlib import Path

from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_code import Code
from gm_jax.experiment_json import EARLIEST_NUMERICS
from gm_jax.model import TrainState
from gm_jax.training.checkpoint import Checkpoints, Step
from gm_jax.training.folder import RunFolder
from gm_jax.training.sharding import DataMesh, mesh_of
from gm_jax.training.step import abstract_state


@dataclasses.dataclass(frozen=True)
class Restored:
    """A run at a checkpoint.

    Attributes:
      experiment: that was trained.
      state: as it was saved.
      mesh: that the state lies on.
      numerics: version of the updates that made it.
    """

    experiment: Experiment
    state: TrainState
    mesh: DataMesh
    numerics: int


def restore(folder: Path, step: Step | None = None, code: Code | None = None) -> Restored:
    """A run from its folder.

    Args:
      folder: where it was trained.
      step: a step that has a checkpoint, "latest" or "best"; None: what the experiment evaluates.
      code: that has the classes of somebody's own; None: what the run was trained with.

    Raises:
      UserError: where there is no run, no such checkpoint, or a damaged one.
    """
    run = RunFolder(folder)
    experiment, spec = run.load(code)
    numerics = run.record().get("numerics", EARLIEST_NUMERICS)
    if not run.checkpoints.is_dir():
        raise UserError(f"{folder} has no checkpoint yet (gm-jax train {experiment.name} goes on)")
    mesh = mesh_of(experiment)
    wanted = experiment.evaluation.checkpoint if step is None else step
    checkpoints = Checkpoints(run.checkpoints, experiment.training.monitor_mode)
    state = checkpoints.restore(wanted, abstract_state(experiment.model, spec), mesh)
    return Restored(experiment, state, mesh, numerics)
