"""The one training loop: any model, any experiment; resumes bit for bit."""

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.data.transforms import apply_random
from gm_jax.errors import UserError
from gm_jax.evaluation.split import Evaluator
from gm_jax.experiment import Experiment, Training, field_paths
from gm_jax.model import Metrics, TrainState, Translates
from gm_jax.rng import Rngs, rngs_from_seed
from gm_jax.training.checkpoint import Checkpoints
from gm_jax.training.folder import RunFolder, locked
from gm_jax.training.pictures import NUM_POINTS, Painter
from gm_jax.training.progress import progress
from gm_jax.training.records import Records, read_records
from gm_jax.training.sharding import DataMesh, on_accelerator
from gm_jax.training.signals import StopRequest
from gm_jax.training.step import abstract_state, init_state, make_train_step


class NonFiniteError(UserError):
    """A loss or a gradient was NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """How training ended.

    Attributes:
      state: the state after the last step done.
      resumed_at: the step it started from (0: anew).
      signum: the signal that stopped it, or None.
      stopped_early: whether the patience ran out.
    """

    state: TrainState
    resumed_at: int
    signum: int | None = None
    stopped_early: bool = False


def train(experiment: Experiment, folder: Path) -> TrainResult:
    """Trains the experiment in `folder`, or goes on with the run that is there.

    Raises:
      UserError: where the folder holds another run, data are missing, or a checkpoint is damaged.
      NonFiniteError: when a loss or gradient is not finite, naming the step.
    """
    run = RunFolder(folder)
    run.check(experiment)
    splits = open_splits(experiment)
    mesh = DataMesh(experiment.data.batch_size, experiment.sharding.data)
    check_points(experiment, splits["train"].spec)
    check_sequences(experiment, splits["train"].spec)
    if check_batch := getattr(experiment.model, "check_batch", None):
        check_batch(experiment.data.batch_size)
    check_monitor(experiment, splits)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(folder))
        new = not run.has_checkpoint()
        if new:
            run.claim(experiment, splits["train"].spec)
        checkpoints = stack.enter_context(
            Checkpoints(
                run.checkpoints, experiment.training.monitor_mode, experiment.training.keep_latest
            )
        )
        state, resumed_at = _start(experiment, splits["train"], checkpoints, mesh)
        if not new:  # only now: a run that can't be read stays as it is
            run.claim(experiment, splits["train"].spec)
        with Records(folder, resume_step=resumed_at) as records, StopRequest() as stop:
            loop = _Loop(experiment, run, splits, mesh, checkpoints, records, stop)
            return loop.run(state, resumed_at)


def open_splits(experiment: Experiment) -> dict[str, Split]:
    """The train and (where there is one) validation split."""
    names = ["train"] + (["valid"] if experiment.data.valid is not None else [])
    return {name: experiment.data.open(name, experiment.seed) for name in names}


def monitor_name(experiment: Experiment) -> str:
    """The validation figure that picks the best checkpoint: the experiment's, or the model's."""
    return experiment.training.monitor or str(getattr(experiment.model, "monitor", "loss"))


def make_evaluator(experiment: Experiment, mesh: DataMesh) -> Evaluator:
    """An evaluator that puts batches where the state lives."""
    sharding = mesh.for_batch(experiment.evaluation.batch_size)
    return Evaluator(
        experiment.model,
        experiment.data.transforms,
        experiment.evaluation.batch_size,
        lambda batch: jax.device_put(batch, sharding),
    )


def _start(
    experiment: Experiment, split: Split, checkpoints: Checkpoints, mesh: DataMesh
) -> tuple[TrainState, int]:
    latest = checkpoints.latest()
    if latest is None:
        key = jax.random.key(experiment.seed)
        return init_state(experiment.model, key, split.spec, mesh), 0
    template = abstract_state(experiment.model, split.spec)
    return checkpoints.restore(latest, template, mesh), latest


class _Loop:
    """What happens at which step. Everything here runs on the host; the step itself is one jit."""

    def __init__(
        self,
        experiment: Experiment,
        run: RunFolder,
        splits: dict[str, Split],
        mesh: DataMesh,
        checkpoints: Checkpoints,
        records: Records,
        stop: StopRequest,
    ):
        self.experiment, self.training = experiment, experiment.training
        self.folder, self.splits, self.mesh = run, splits, mesh
        self.checkpoints, self.records, self.stop = checkpoints, records, stop
        self.split = splits["train"]
        self.evaluator = make_evaluator(experiment, mesh)
        self.painter = Painter(experiment.model, example_batch(experiment, splits))
        self.patience = _Patience(self.training, monitor_name(experiment))
        self.pending: list[tuple[int, Metrics]] = []  # on the device, not looked at yet
        self.headline: dict[str, float] = {}

    def run(self, state: TrainState, start: int) -> TrainResult:
        training = self.training
        self.patience.replay(read_records(self.folder.metrics))
        finished = start >= training.num_steps or self.patience.exhausted
        if finished:
            return TrainResult(state, start, stopped_early=start < training.num_steps)
        step_fn = make_train_step(
            self.experiment.model, self.experiment.data.transforms, self.mesh, self.split.resident
        )
        arrays = self.split.arrays if self.split.resident else {}
        arrays = jax.device_put(arrays, self.mesh.replicated)
        step = start
        with progress(training.num_steps, start, self.experiment.name) as bar:
            for batches, size in self._dispatches(start):
                state, metrics = step_fn(state, arrays, batches)
                step += size
                self.pending.append((step, metrics))
                if len(self.pending) > 2:  # bounds how far the host runs ahead, without a stall
                    jax.block_until_ready(self.pending[-3][1])
                stopping = self.stop.signum is not None
                self._at(step, state, stopping)
                bar.advance(to_step=step, metrics=self.headline)
                if stopping or self.patience.exhausted:
                    break
        self.checkpoints.wait()
        return TrainResult(
            state,
            start,
            signum=self.stop.signum if step < training.num_steps else None,
            stopped_early=self.patience.exhausted and step < training.num_steps,
        )

    def _dispatches(self, start: int) -> Iterator[tuple[Any, int]]:
        """Inputs of each dispatch and its number of steps; none crosses a boundary."""
        training = self.training
        most = training.steps_per_dispatch or (10 if on_accelerator() else 1)
        boundaries = (
            training.log_every,
            training.eval_every,
            training.checkpoint_every,
            training.sample_every,
        )
        if self.split.resident:
            items: Iterator[Any] = map(self.split.indices_at, itertools.count(start))
        else:
            items = self.split.stream(start, training.num_steps - start)
        step = start
        while step < training.num_steps:
            ends = [(step // n + 1) * n for n in boundaries if n] + [training.num_steps]
            size = min(most, min(ends) - step)
            stacked = itertools.islice(items, size)
            yield jax.tree.map(lambda *xs: np.stack(xs), *stacked), size
            step += size

    def _at(self, step: int, state: TrainState, stopping: bool) -> None:
        """What is due after `step`."""
        training = self.training
        last = step == training.num_steps

        def due(every: int) -> bool:
            return bool(every) and (step % every == 0 or last)

        evaluating = due(training.eval_every) and "valid" in self.splits
        saving = due(training.checkpoint_every) or evaluating or last or stopping
        if due(training.log_every) or saving:
            self._log(step)
        monitored = self._validate(step, state) if evaluating else None
        if saving:
            self.checkpoints.save(state, monitored)
        if due(training.sample_every):
            grids = self.painter.paint(state, self.folder.samples, f"step_{step:08d}")
            for name, grid in grids.items():
                self.records.image(step, name, grid)

    def _log(self, step: int) -> None:
        """Fetches the metrics of the steps since the last line; stops at the first bad one."""
        if not self.pending:
            return
        steps: list[int] = []
        values: list[dict[str, float]] = []
        for end, metrics in self.pending:
            host = {name: np.asarray(v) for name, v in metrics.items()}
            size = len(next(iter(host.values())))
            steps += range(end - size + 1, end + 1)
            values += [{name: float(v[i]) for name, v in host.items()} for i in range(size)]
        self.pending.clear()
        for at, row in zip(steps, values, strict=True):
            bad = {name: v for name, v in row.items() if not math.isfinite(v)}
            if bad:
                self.records.write(at, "train", row)
                raise self._non_finite(at, bad)
        means = {name: float(np.mean([row[name] for row in values])) for name in values[0]}
        self.records.write(step, "train", means)
        self.headline["loss"] = means["loss"]

    def _non_finite(self, step: int, bad: dict[str, float]) -> NonFiniteError:
        self.checkpoints.wait()
        good = self.checkpoints.latest()
        kept = (
            f"the last good checkpoint is step {good} in {self.folder.checkpoints}"
            if good is not None
            else "no checkpoint had been saved yet"
        )
        names = ", ".join(f"{name} = {value}" for name, value in bad.items())
        paths = field_paths(self.experiment)

        def fields(name: str) -> str:
            """The flags of that name: one for each optimizer."""
            found = [f"--{p.replace('_', '-')}" for p in paths if p.split(".")[-1] == name]
            return " or ".join(found) or name.replace("_", " ")

        hint = getattr(self.experiment.model, "non_finite_hint", None)  # of families of no gradient
        hint = hint or f"try a smaller {fields('learning_rate')} or {fields('clip_norm')} 1"
        return NonFiniteError(f"step {step} gave {names}; {kept}; {hint}")

    def _validate(self, step: int, state: TrainState) -> float:
        figures = self.evaluator.figures(state, self.splits["valid"])
        self.records.write(step, "valid", {name: f.value for name, f in figures.items()})
        name = monitor_name(self.experiment)
        monitored = figures[name].value
        if not math.isfinite(monitored):
            raise self._non_finite(step, {f"validation {name}": monitored})
        self.headline[f"valid {name}"] = monitored
        self.patience.see(monitored)
        return monitored


def check_points(experiment: Experiment, spec: DataSpec) -> None:
    """Looks whether the model can learn from points, where the data are points.

    Raises:
      UserError: where it takes images of levels only.
    """
    model = experiment.model
    if spec.continuous and not getattr(model, "takes_points", False):
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
    takes_sequences = getattr(model, "takes_sequences", False)
    if spec.is_sequence == takes_sequences:
        return
    if not spec.is_sequence and spec.extras and isinstance(model, Translates):
        return
    gives, takes = ("sequences", "images") if spec.is_sequence else ("images", "sequences")
    source = type(experiment.data.source).__name__
    raise UserError(
        f"{source} gives {gives}, but {type(model).__name__} takes {takes} only: choose another "
        "model or other data"
    )


def check_monitor(experiment: Experiment, splits: dict[str, Split]) -> None:
    """Looks, before anything is computed, whether the model reports the monitored figure.

    Raises:
      UserError: where it does not, naming those it reports.
    """
    if "valid" not in splits or not experiment.training.eval_every:
        return
    model, name = experiment.model, monitor_name(experiment)
    batch = example_batch(experiment, splits, 1)
    figures = jax.eval_shape(
        lambda key: model.evaluate(model.init(Rngs(key), splits["train"].spec), batch, Rngs(key)),
        jax.random.key(0),
    )
    if name not in figures:
        raise UserError(
            f"training.monitor is {name}, but the model reports {', '.join(sorted(figures))}"
        )


def example_batch(experiment: Experiment, splits: dict[str, Split], num: int | None = None) -> Any:
    """Examples spread over the validation split (else train), as they enter the model.

    Args:
      experiment: whose transforms they go through.
      splits: "train" and, where there is one, "valid".
      num: of examples, at most; None: as many as pictures show.
    """
    split = splits.get("valid", splits["train"])
    if num is None:
        num = NUM_POINTS if split.spec.continuous else 16
    num = min(num, split.num_examples)
    # Evenly spread, since some sets come sorted by class.
    indices = np.linspace(0, split.num_examples - 1, num).round().astype(np.int32)
    return prepare_batch(experiment, split.batch_of(indices))


def prepare_batch(experiment: Experiment, batch: Any) -> Any:
    """A host batch after the random transforms that evaluation applies."""
    rngs = rngs_from_seed(experiment.seed).at("eval", "transforms")
    prepared = apply_random(experiment.data.transforms, rngs, batch, train=False)
    return {name: np.asarray(value) for name, value in prepared.items()}


class _Patience:
    """Early stopping, replayed from the record so that a resumed run stops where it would have."""

    def __init__(self, training: Training, name: str):
        self.training, self.name = training, name
        self.best: float | None = None
        self.bad = 0

    def replay(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            value = record.get(self.name)
            if record.get("phase") == "valid" and isinstance(value, int | float):
                self.see(value)

    def see(self, value: float) -> None:
        sign = 1.0 if self.training.monitor_mode == "min" else -1.0
        if self.best is None or sign * value < sign * self.best:
            self.best, self.bad = value, 0
        else:
            self.bad += 1

    @property
    def exhausted(self) -> bool:
        patience = self.training.patience
        return patience is not None and self.bad >= patience
