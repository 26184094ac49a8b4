"""What is trained: an experiment with its data open, on its devices, checked."""

import dataclasses

import jax

from gm_jax.data.split import Split
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.training.checkpoint import Checkpoints, Saved
from gm_jax.training.checks import check_experiment, check_samples_for_metrics
from gm_jax.training.processes import several
from gm_jax.training.sample_figures import SampleFigures
from gm_jax.training.sharding import DataMesh, mesh_of
from gm_jax.training.step import abstract_state, init_state


@dataclasses.dataclass(frozen=True)
class Task:
    """What a loop needs to know before its first step.

    Attributes:
      experiment: as it was given.
      train: the split to learn from.
      valid: the validation split, where there is one.
      mesh: of the devices that share a batch.
      sample_figures: of a state, at each validation; None where none are wanted.
    """

    experiment: Experiment
    train: Split
    valid: Split | None
    mesh: DataMesh
    sample_figures: SampleFigures | None = None

    def start(self, checkpoints: Checkpoints) -> Saved:
        """What to go on from: the last checkpoint that can be read, or a fresh state.

        Raises:
          UserError: where there are checkpoints, and none can be read.
        """
        model, spec = self.experiment.model, self.train.spec
        if saved := checkpoints.resume(abstract_state(model, spec), self.mesh):
            return saved
        key = jax.random.key(self.experiment.seed)
        return Saved(0, init_state(model, key, spec, self.mesh))


def open_task(experiment: Experiment) -> Task:
    """Opens the data, and looks whether all fits, before anything is computed.

    Raises:
      UserError: where data are missing, or model, data, training and devices do not fit.
    """
    data, seed = experiment.data, experiment.seed
    train = data.open("train", seed)
    valid = None if data.valid is None else data.open("valid", seed)
    mesh = mesh_of(experiment, experiment.sharding.data)
    check_samples_for_metrics(experiment, valid)
    if several() and experiment.training.metrics_classifier is not None:
        raise UserError(
            "training.metrics_classifier is for training in one process: leave it out, which "
            "compares samples in random features"
        )
    sample_figures = None
    if valid is not None and experiment.training.samples_for_metrics:
        sample_figures = SampleFigures(experiment, train, valid)
    check_experiment(experiment, train, valid, sample_figures.names if sample_figures else ())
    return Task(experiment, train, valid, mesh, sample_figures)
