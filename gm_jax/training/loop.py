"""The one training loop: any model, any experiment; resumes bit for bit."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import jax

from gm_jax.experiment import Experiment
from gm_jax.model import TrainState
from gm_jax.standard_streams import forgiving_streams
from gm_jax.training.callbacks import Callback, listening
from gm_jax.training.checkpoint import Checkpoints, Saved
from gm_jax.training.folder import RunFolder, locked
from gm_jax.training.initial import Init, check_initial, find_initial
from gm_jax.training.patience import Patience, monitor_name
from gm_jax.training.pending import NonFiniteError, Pending, non_finite_error
from gm_jax.training.pictures import Painter, picture_examples
from gm_jax.training.processes import agreed, first, leads, lost, meet
from gm_jax.training.profiling import Profiler, Steps, profiling
from gm_jax.training.progress import announce, progress, unseen
from gm_jax.training.records import Records, read_records
from gm_jax.training.saving import Saver
from gm_jax.training.schedule import Schedule
from gm_jax.training.sharding import make_evaluator
from gm_jax.training.shared_signal import SharedSignal
from gm_jax.training.signals import StopRequest
from gm_jax.training.step import abstract_state, dispatches, make_train_step
from gm_jax.training.task import Task, open_task
from gm_jax.training.tensorboard import TensorBoard


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


def train(
    experiment: Experiment,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    init: Init | None = None,
    profile: Steps | None = None,
) -> TrainResult:
    """Trains the experiment in `folder`, or goes on with the run that is there.

    Args:
      experiment: what to train.
      folder: the run's folder.
      callbacks: are told what happens, beside TensorBoard.
      init: weights to start from, for a run that is new or started from them.
      profile: steps to trace, into `profile/` in the folder.

    Raises:
      UserError: where the folder holds another run, data are missing, no checkpoint of the run
        can be read, or the weights to start from can't be read or do not fit.
      NonFiniteError: when a loss or gradient is not finite, naming the step.
    """
    run, training = RunFolder(folder), experiment.training
    run.check(experiment)
    initial = None if init is None else find_initial(init, run)
    task = open_task(experiment)
    meet()  # nobody writes before all have looked
    if init is not None and initial is not None:
        template = abstract_state(experiment.model, task.train.spec)
        initial = check_initial(initial, init.partial, experiment, template)
    with contextlib.ExitStack() as stack:
        stack.enter_context(forgiving_streams())
        first(lambda: stack.enter_context(locked(folder)))
        checkpoints = Checkpoints(run.checkpoints, training.monitor_mode)
        saved = task.start(checkpoints)
        if saved.step or initial is None:
            lineage = None
        else:
            first(lambda: announce(initial.spoken()))
            saved = dataclasses.replace(saved, state=initial.into(saved.state, task.mesh))
            lineage = initial.lineage()
        # Only now: a run that can't be read stays as it is.
        first(lambda: run.claim(experiment, task.train.spec, saved.step, lineage))
        saver = stack.enter_context(Saver(checkpoints, training.keep_latest))
        for step, reason in saved.damaged.items():
            line = (
                f"checkpoint {run.checkpoints / str(step)} can't be read, and lies in "
                f"{saver.put_aside(step)} now; going on from step {saved.step} ({reason})"
            )
            first(functools.partial(announce, line))
        records = stack.enter_context(Records(folder, saved.step)) if leads() else None
        meet()  # from here on the record is read
        told = (TensorBoard(), *callbacks) if leads() else ()
        listener = stack.enter_context(listening(told, experiment, folder, saved.step))
        stop = stack.enter_context(StopRequest())
        traced = profile if leads() else None
        profiler = stack.enter_context(profiling(traced, folder, saved.step))
        loop = _Loop(task, run, saver, records, listener, Pending(saved.pending), profiler)
        try:
            return loop.run(saved, stop)
        except jax.errors.JaxRuntimeError as error:
            if (line_of_loss := lost(error)) is None:
                raise
            raise line_of_loss from error


class _Loop:
    """What is done after a step. It runs on the host; the step itself is one jit."""

    def __init__(
        self,
        task: Task,
        run: RunFolder,
        saver: Saver,
        records: Records | None,
        listener: Callback,
        pending: Pending,
        profiler: Profiler,
    ):
        """`records` is None in processes that do not write."""
        self.task, self.pictures = task, run.samples
        self.saver, self.records, self.listener, self.pending = saver, records, listener, pending
        self.profiler = profiler
        self.schedule = Schedule(task.experiment.training, task.valid is not None)
        self.evaluator = make_evaluator(task.experiment, task.mesh)
        self.painter = Painter(task.experiment.model, picture_examples(task.valid or task.train))
        self.patience = Patience(task.experiment, read_records(run.metrics))
        self.headline: dict[str, float] = {}
        self.signals = SharedSignal(task.mesh)

    def run(self, saved: Saved, stop: StopRequest) -> TrainResult:
        experiment, split, mesh = self.task.experiment, self.task.train, self.task.mesh
        state, step, end = saved.state, saved.step, experiment.training.num_steps
        if step >= end or self.patience.exhausted:
            return TrainResult(state, step, stopped_early=step < end)
        step_fn = make_train_step(experiment.model, split.transforms, mesh, split.resident, state)
        arrays = mesh.put(split.arrays if split.resident else {}, mesh.replicated)
        signum = None
        with progress(end, step, experiment.name) if leads() else unseen() as bar:
            for batches, size in dispatches(split, step, end, self.schedule.sizes(step), mesh):
                self.profiler.before(step, size)
                state, metrics = step_fn(state, arrays, batches)
                step += size
                self.profiler.after(step, state)
                self.pending.add(step, metrics)
                signum = self.signals.agree(stop.signum)
                stopping = signum is not None
                self._after(step, state, stopping)
                bar.advance(to_step=step, metrics=self.headline)
                if stopping or self.patience.exhausted:
                    break
        self.saver.wait()
        return TrainResult(
            state,
            saved.step,
            signum=signum if step < end else None,
            stopped_early=self.patience.exhausted and step < end,
        )

    def _after(self, step: int, state: TrainState, stopping: bool) -> None:
        due = self.schedule.due(step)
        if due.log or stopping:
            self._fetch()
        if due.log:
            means = self.pending.take_means()
            self._record(step, "train", means)
            self.headline["loss"] = means["loss"]
        monitored = self._validate(step, state) if due.validate else None
        if due.save or stopping:
            self.saver.save(state, monitored, self.pending.rows)
            self.listener.on_checkpoint(step, state)
        if due.paint:
            self._paint(step, self.task.mesh.here(state))

    def _paint(self, step: int, state: TrainState) -> None:
        if leads():
            grids = self.painter.paint(state, self.pictures, f"step_{step:08d}")
            for name, grid in grids.items():
                self.listener.on_picture(step, name, grid)
        meet()

    def _record(self, step: int, phase: str, figures: dict[str, float]) -> None:
        if self.records is not None:
            self.records.write(step, phase, figures)
        self.listener.on_figures(step, phase, figures)

    def _fetch(self) -> None:
        """Looks at the metrics of all steps so far; stops at the first bad one."""
        if bad := self.pending.fetch():
            self._record(bad[0], "train", bad[1])
            raise self._non_finite(*bad)

    def _validate(self, step: int, state: TrainState) -> float:
        assert self.task.valid is not None
        found = self.evaluator.figures(state, self.task.valid)
        figures = {name: f.value for name, f in found.items()}
        if self.task.sample_figures is not None:
            figures |= agreed(self.task.sample_figures(self.task.mesh.here(state)))
        self._record(step, "valid", figures)
        name = monitor_name(self.task.experiment)
        monitored = figures[name]
        if not math.isfinite(monitored):
            raise self._non_finite(step, {f"validation {name}": monitored})
        self.headline[f"valid {name}"] = monitored
        self.patience.see(monitored)
        return monitored

    def _non_finite(self, step: int, figures: dict[str, float]) -> NonFiniteError:
        self.saver.wait()
        return non_finite_error(self.task.experiment, self.saver.checkpoints, step, figures)
