"""Whether an experiment can be trained at all: looked at before anything is computed."""

import jax

from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.model import Translates
from gm_jax.rng import Rngs
from gm_jax.training.patience import monitor_name


def check_experiment(experiment: Experiment, train: Split, valid: Split | None) -> None:
    """Looks whether model, data and training fit each other.

    Args:
      experiment: to be trained.
      train: the split to learn from.
      valid: the validation split, where there is one.

    Raises:
      UserError: where they do not.
    """
    check_points(experiment, train.spec)
    check_sequences(experiment, train.spec)
    experiment.model.check_batch(experiment.data.batch_size)
    if valid is not None and experiment.training.eval_every:
        check_monitor(experiment, valid)


def check_points(experiment: Experiment, spec: DataSpec) -> None:
    """Looks whether the model can learn from points, where the data are points.

    Raises:
      UserError: where it takes images of levels only.
    """
    model = experiment.model
    if spec.continuous and not model.takes_points:
        source = type(experiment.data.source).__name__
        raise UserError(
            f"{source} gives points, but {type(model).__name__} takes images of levels only: "
            "choose another model or other data"
        )


def check_sequences(experiment: Experiment, spec: DataSpec) -> None:
    """Looks whether the model can learn from sequences, or from images, whichever the data are.

    Raises:
      UserError: where it takes the other ones only.
    """
    model = experiment.model
    if spec.is_sequence == model.takes_sequences:
        return
    if not spec.is_sequence and spec.extras and isinstance(model, Translates):
        return
    gives, takes = ("sequences", "images") if spec.is_sequence else ("images", "sequences")
    source = type(experiment.data.source).__name__
    raise UserError(
        f"{source} gives {gives}, but {type(model).__name__} takes {takes} only: choose another "
        "model or other data"
    )


def check_monitor(experiment: Experiment, split: Split) -> None:
    """Looks whether the model reports the monitored figure, without computing any.

    Raises:
      UserError: where it does not, naming those it reports.
    """
    model, name = experiment.model, monitor_name(experiment)
    figures = jax.eval_shape(
        lambda key, batch: model.evaluate(model.init(Rngs(key), split.spec), batch, Rngs(key)),
        jax.random.key(0),
        split.example_batch(1),
    )
    if name not in figures:
        raise UserError(
            f"training.monitor is {name}, but the model reports {', '.join(sorted(figures))}"
        )
