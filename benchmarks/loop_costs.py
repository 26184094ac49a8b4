"""What a training costs beside its steps: its batches, a checkpoint, a validation, samples.

    python benchmarks/loop_costs.py digits/vae mnist/vae_conv digits/ddpm_unet

Of each experiment, with random weights: how many examples a second the input pipeline gives alone,
from data on the device and streamed; for how long a checkpoint holds the loop up, and how long it
takes to be on disk; how long a validation takes; how many images a second are drawn. Medians over
rounds, after compilation, beside the time of a step, all in one process.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gm_jax.runtime import set_up

set_up()

import jax  # noqa: E402

from gm_jax.evaluation.split import Evaluator  # noqa: E402
from gm_jax.experiment_file import load  # noqa: E402
from gm_jax.model import TrainState, can  # noqa: E402
from gm_jax.rng import rngs_from_seed  # noqa: E402
from gm_jax.training.checkpoint import Checkpoints  # noqa: E402
from gm_jax.training.saving import Saver  # noqa: E402
from gm_jax.training.sharding import make_evaluator  # noqa: E402
from gm_jax.training.step import dispatches, make_train_step  # noqa: E402
from gm_jax.training.task import Task, open_task  # noqa: E402

SAMPLES = 64


def seconds(function: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - begun


def pipeline(task: Task, num_batches: int) -> float:
    """Examples a second, until they lie where the step wants them."""
    split, mesh = task.train, task.mesh
    batches = dispatches(split, 0, num_batches, itertools.repeat(1, num_batches), mesh)
    jax.block_until_ready(next(batches)[0])  # what is opened at first
    begun = time.perf_counter()
    for batch, _ in batches:
        jax.block_until_ready(batch)
    return (num_batches - 1) * split.batch_size / (time.perf_counter() - begun)


def stepped(task: Task, state: TrainState, steps: int) -> Iterator[tuple[TrainState, float]]:
    """States, and the seconds that each step took; the first is compiled."""
    split, mesh = task.train, task.mesh
    step = make_train_step(task.experiment.model, split.transforms, mesh, split.resident, state)
    arrays = mesh.put(split.arrays if split.resident else {}, mesh.replicated)
    sizes = itertools.repeat(1, steps)
    for batches, _ in dispatches(split, 0, steps, sizes, mesh):
        begun = time.perf_counter()
        state, metrics = step(state, arrays, batches)
        jax.block_until_ready((state, metrics))
        yield state, time.perf_counter() - begun


def checkpoint(saver: Saver, state: TrainState) -> tuple[float, float]:
    """Seconds that the loop waits, and until the checkpoint is there."""
    begun = time.perf_counter()
    saver.save(state)
    held = time.perf_counter() - begun
    saver.wait()
    return held, time.perf_counter() - begun


def validation(evaluator: Evaluator, state: TrainState, task: Task) -> float | None:
    if task.valid is None:
        return None
    evaluator.figures(state, task.valid)
    return seconds(lambda: evaluator.figures(state, task.valid))


def sampling(task: Task, state: TrainState) -> float | None:
    model, spec = task.experiment.model, task.train.spec
    if not can(model, spec, "sample"):
        return None
    draw = jax.jit(model.sample, static_argnums=2)
    jax.block_until_ready(draw(state, rngs_from_seed(0), SAMPLES))
    return SAMPLES / seconds(lambda: draw(state, rngs_from_seed(1), SAMPLES))


def measure(name: str, rounds: int, num_batches: int) -> dict[str, Any]:
    experiment = load(name)
    streamed = open_task(experiment.replace(**{"data.device_budget_mib": 0}))
    task = open_task(experiment)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), "min")
        steps, held, written = [], [], []
        with Saver(checkpoints) as saver:
            for state, took in stepped(task, task.start(checkpoints).state, rounds + 1):
                steps.append(took)
                waited, there = checkpoint(saver, state)
                held.append(waited)
                written.append(there)
    median = statistics.median
    return {
        "name": name,
        "batch": experiment.data.batch_size,
        "resident": task.train.resident,
        "step_ms": 1e3 * median(steps[1:]),
        "examples_per_s": median(pipeline(task, num_batches) for _ in range(rounds)),
        "examples_per_s_streamed": median(pipeline(streamed, num_batches) for _ in range(rounds)),
        "checkpoint_held_ms": 1e3 * median(held[1:]),
        "checkpoint_written_ms": 1e3 * median(written[1:]),
        "validation_s": validation(make_evaluator(experiment, task.mesh), state, task),
        "samples_per_s": sampling(task, state),
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="experiments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=50, help="in a round of the pipeline")
    asked = parser.parse_args()
    for name in asked.names:
        print(json.dumps(measure(name, asked.rounds, asked.batches)), flush=True)


if __name__ == "__main__":
    main()
