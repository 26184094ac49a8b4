"""Whether an experiment can be trained at all: looked at before anything is computed."""

from collections.abc import Sequence

import jax

from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.model import Translates
from gm_jax.rng import Rngs
from gm_jax.training.patience import better_when_large, monitor_name
from gm_jax.training.step import abstract_state


def check_experiment(
    experiment: Experiment, train: Split, valid: Split | None, further: Sequence[str] = ()
) -> None:
    """Looks whether model, data and training fit each other.

    Args:
      experiment: to be trained.
      train: the split to learn from.
      valid: the validation split, where there is one.
      further: names of validation figures beside the model's own.

    Raises:
      UserError: where they do not.
    """
    check_points(experiment, train.spec)
    check_sequences(experiment, train.spec)
    experiment.model.check_batch(experiment.data.batch_size)
    if valid is not None and experiment.training.eval_every:
        check_monitor(experiment, valid, further)


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


def check_samples_for_metrics(experiment: Experiment, valid: Split | None) -> None:
    """Looks whether there are validations at which samples could be looked at.

    Raises:
      UserError: where samples are wanted, and there are none.
    """
    training = experiment.training
    if training.samples_for_metrics and (valid is None or not training.eval_every):
        missing = "a validation split" if valid is None else "training.eval_every above 0"
        raise UserError(
            f"training.samples_for_metrics is {training.samples_for_metrics}, but figures of "
            f"samples join those of a validation: it needs {missing}"
        )


def check_monitor(experiment: Experiment, split: Split, further: Sequence[str] = ()) -> None:
    """Looks whether the monitored figure is reported, without computing any, and its direction.

    Raises:
      UserError: where it is not, naming those that are; or where it is better when large, and is
        monitored as if it were better when small.
    """
    model, name = experiment.model, monitor_name(experiment)
    figures = jax.eval_shape(
        lambda state, batch: model.evaluate(state, batch, Rngs(state.key)),
        abstract_state(model, split.spec),
        split.example_batch(1),
    )
    if name not in {*figures, *further}:
        raise UserError(
            f"training.monitor is {name}, but the model reports "
            f"{', '.join(sorted({*figures, *further}))}"
        )
    if better_when_large(name) and experiment.training.monitor_mode == "min":
        raise UserError(
            f"training.monitor is {name}, which is better when large, and training.monitor_mode is "
            "min: give max",
            "--training.monitor-mode max",
        )


def check_same_columns(learned: DataSpec, found: DataSpec) -> None:
    """Looks whether a table still has the columns and the labels that a model learned.

    Raises:
      UserError: where it does not.
    """
    if learned.columns is None or found.columns is None:
        return
    old, new = learned.columns, found.columns
    for what, before, now in (
        ("columns", old.names, new.names),
        ("labels", old.classes, new.classes),
    ):
        if before != now:
            raise UserError(
                f"the run was trained on a table with the {what} {', '.join(before) or '(none)'}, "
                f"and it has {', '.join(now) or 'none'} now: put the old one back"
            )
