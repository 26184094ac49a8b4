"""Our side of a twin: family, state and batch; and what the twin is checked against, as a file.

    .venv/bin/python -m benchmarks.twins.ours SYSTEM FILE.npz [--batch 8]

The file has `params/*`, `batch/*`, `noise/*` and `loss/*`: the losses that `update` minimizes at
these parameters, with this batch and noise. Then `step/K/noise/*` and `step/K/loss/*`, K from 0:
what `update` returns in its first steps on the same batch, so that the optimizer is checked too.
"""

import argparse
import importlib
from pathlib import Path
from typing import Any

from gm_jax.runtime import set_up

set_up()

import jax  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.twins.systems import SYSTEMS, System, random_examples  # noqa: E402
from gm_jax.data.spec import DataSpec  # noqa: E402
from gm_jax.experiment import Experiment  # noqa: E402
from gm_jax.experiment_file import load  # noqa: E402
from gm_jax.model import TrainState, compiled  # noqa: E402
from gm_jax.rng import Rngs  # noqa: E402
from gm_jax.training.sharding import DataMesh  # noqa: E402
from gm_jax.training.step import init_state  # noqa: E402

STEPS = 3
NUDGE = 0.02


def experiment_of(system: System) -> Experiment:
    return load(system.experiment).replace(**system.overrides)


def spec_of(system: System) -> DataSpec:
    """Made by hand, so that no data set is needed; of sequences the experiment's own."""
    if not system.extras:
        return DataSpec(system.shape, system.num_levels, system.num_classes)
    spec = experiment_of(system).data.spec
    extras = {extra.name: (extra.shape, extra.dtype) for extra in spec.extras}
    told = {name: (tuple(shape), dtype) for name, (shape, dtype) in system.extras.items()}
    if (spec.shape, spec.num_levels, extras) != (system.shape, system.num_levels, told):
        raise ValueError(f"{system.experiment}: its data are {spec}, not {system}")
    return spec


def batch_of(system: System, size: int, seed: int = 0) -> dict[str, np.ndarray]:
    return random_examples(system, size, seed) | {"index": np.arange(size, dtype=np.int32)}


def state_of(system: System, mesh: DataMesh) -> TrainState:
    """As a run with seed 0 starts."""
    return init_state(experiment_of(system).model, jax.random.key(0), spec_of(system), mesh)


def nudged(state: TrainState) -> TrainState:
    """All parameters moved a little: the zeros of a fresh layer would hide what it is fed."""
    rng = np.random.default_rng(1)
    move = lambda p: p + NUDGE * rng.standard_normal(p.shape, np.float32)  # noqa: E731
    return state.replace(params=jax.tree.map(move, state.params))


def names_of(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by their paths, joined by slashes."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in leaves
    }


def exported(name: str, size: int) -> dict[str, np.ndarray]:
    """What the file holds. The module of the noise may set STEPS, and LOSSES: names of metrics."""
    system = SYSTEMS[name]
    model = experiment_of(system).model
    ours = importlib.import_module(f"benchmarks.twins.ours_noise.{system.torch}")
    losses = getattr(ours, "LOSSES", ("loss",))
    state = nudged(state_of(system, DataMesh(size, 1)))
    batch = batch_of(system, size)
    update = compiled(model, "update")
    arrays = {f"params/{path}": value for path, value in names_of(state.params).items()}
    arrays |= {f"batch/{path}": value for path, value in batch.items()}
    for step in range(getattr(ours, "STEPS", STEPS)):
        rngs = Rngs(state.key).at("train", state.step)
        noise = ours.noise(model, state, batch, rngs)
        state, metrics = update(state, batch, rngs)
        for key, value in noise.items():
            arrays[f"step/{step}/noise/{key}"] = np.asarray(value)
        for key in losses:
            arrays[f"step/{step}/loss/{key}"] = np.asarray(metrics[key])
    # A loss that is taken after a move of the same step can't be checked at the start.
    moved = getattr(ours, "AFTER_A_MOVE", ())
    for key in [key for key in arrays if key.startswith("step/0/")]:
        kind, name_ = key.split("/", 3)[2:]
        if kind == "noise" or name_ not in moved:
            arrays[f"{kind}/{name_}"] = arrays[key]
    return arrays


def export(name: str, size: int, path: Path) -> None:
    np.savez(path, **exported(name, size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    asked = parser.parse_args()
    export(asked.system, asked.batch, asked.file)


if __name__ == "__main__":
    main()
