"""Weights of another run, or of a file, that a run starts from, and what is kept of where they lay.

Parameters and model_state become those that are given; a moving average starts at them. Step,
optimizer and random numbers are those of any fresh run.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.model import TrainState
from gm_jax.training.folder import RunFolder
from gm_jax.training.restoring import restore
from gm_jax.training.sharding import DataMesh
from gm_jax.weights import Weights, compare, is_whole, placed, read_weights, weights_of


@dataclasses.dataclass(frozen=True)
class Init:
    """Where weights to start from lie.

    Attributes:
      source: a .safetensors file, a folder that has a model.safetensors, or a run's folder, of
        which the checkpoint counts that it evaluates with.
      partial: whether arrays that do not fit are left out, instead of refused.
    """

    source: str | Path
    partial: bool = False


@dataclasses.dataclass(frozen=True)
class Initial:
    """Weights that fit a model, all of them or those that were asked for.

    Attributes:
      weights: as they were found.
      source: where, as it was given.
      left_out: names of the arrays that do not fit.
    """

    weights: Weights
    source: Path
    left_out: tuple[str, ...] = ()

    def lineage(self) -> dict[str, Any]:
        """What a run keeps of it: plain values."""
        return {
            "path": str(self.source),
            "digest": self.weights.digest,
            "experiment": self.weights.name,
            "step": self.weights.step,
            "left_out": list(self.left_out),
        }

    def into(self, state: TrainState, mesh: DataMesh) -> TrainState:
        """A fresh state with these weights."""
        params, model_state = placed(compare(self.weights.arrays, state).fitting, state)
        ema_params = state.ema_params
        if ema_params is not None:
            start = params if is_whole(state) else {name: params[name] for name in ema_params}
            ema_params = jax.tree.map(jnp.copy, start)
        state = state.replace(params=params, model_state=model_state, ema_params=ema_params)
        placed_state: TrainState = mesh.put(state, mesh.for_state(state))
        return placed_state

    def spoken(self) -> str:
        """In a line."""
        what = f"{self.weights.name}, step {self.weights.step:,}" if self.weights.name else "a file"
        left = f" · {len(self.left_out)} arrays left out" if self.left_out else ""
        return f"starting from {self.source} ({what}){left}"


def find_initial(init: Init, run: RunFolder) -> Initial | None:
    """The weights for a run; None where it goes on from a checkpoint, and started from these.

    Raises:
      UserError: they can't be read, or the run started from others.
    """
    source = Path(init.source)
    if not run.has_checkpoint():
        return Initial(_read(source), source)
    started = run.record().get("init")
    if started is None:
        raise UserError(
            f"{run.path} holds a run that started without given weights: to go on, leave "
            f"{source} out, or give another folder",
            "--run",
        )
    same_place = str(source) == started["path"]
    if same_place and not source.is_file():  # a run may have gone on, or all is gone
        return None
    if _read(source).digest != started["digest"]:
        what = "as it was then" if same_place else f"not from {source}"
        raise UserError(
            f"{run.path} holds a run that started from {started['path']}, {what}: to go on, leave "
            "it out, or give another folder",
            "--run",
        )
    return None


def check_initial(
    initial: Initial, partial: bool, experiment: Experiment, template: TrainState
) -> Initial:
    """Looks whether weights fit an experiment, before anything is computed.

    Args:
      initial: the weights.
      partial: whether those that do not fit are left out.
      experiment: to be trained.
      template: shapes and types of its state.

    Returns:
      The same, with what is left out.

    Raises:
      UserError: they do not fit, and are not to be left out; or none does.
    """
    found = compare(initial.weights.arrays, template)
    if not found.misfits:
        return initial
    here = experiment.name or type(experiment.model).__name__
    there = f"{initial.source} ({initial.weights.name or 'of another program'})"
    if not found.fitting:
        raise UserError(f"{there} has no array that fits {here}: {found.spoken()}")
    if not partial:
        raise UserError(
            f"{there} does not fit {here}: {found.spoken()}; to start from the "
            f"{len(found.fitting)} that do, ask for a part",
            "--init-partial",
        )
    return dataclasses.replace(initial, left_out=tuple(found.misfits))


def _read(source: Path) -> Weights:
    if RunFolder(source).experiment.is_file():
        restored = restore(source)
        whole = restored.mesh.here(restored.state)
        return weights_of(restored.experiment, whole, restored.numerics)
    if source.is_dir() or source.is_file():
        return read_weights(source)
    raise UserError(f"there is no run and no file of weights {source}")
