"""Checkpoints: the state as one Orbax item; the best and the latest are kept."""

import contextlib
import inspect
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as managers

from gm_jax.errors import UserError
from gm_jax.model import TrainState
from gm_jax.training.sharding import DataMesh

_MONITOR = "monitor"


class Checkpoints:
    """The folder checkpoints/ of a run, one subfolder a step.

    Saving is asynchronous: training goes on while the files are written, and a checkpoint appears
    under its final name only when it is whole.
    """

    def __init__(
        self,
        folder: Path,
        mode: Literal["min", "max"] = "min",
        keep_latest: int = 1,
        read_only: bool = False,
    ):
        # Orbax reports every save and restore; failures raise.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self.folder = folder
        self.mode = mode

        def get_metric(metrics: Any) -> float:
            return metrics[_MONITOR]

        policy = managers.AnyPreservationPolicy(
            [
                managers.LatestN(keep_latest),
                managers.BestN(
                    get_metric_fn=get_metric,
                    reverse=mode == "min",
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy,
            best_fn=get_metric,  # without it Orbax stores no metrics
            best_mode=mode,
            create=not read_only,
            read_only=read_only,
            cleanup_tmp_directories=not read_only,
        )
        _check_figures(folder)
        self._manager = ocp.CheckpointManager(folder.resolve(), options=options)

        self._hush = _hushed()

    def __enter__(self) -> "Checkpoints":
        self._hush.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        try:
            self._manager.close()
        finally:
            self._hush.__exit__(*failure)

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, ascending."""
        return sorted(self._manager.all_steps(read=True))

    def latest(self) -> int | None:
        """The last step saved, or None."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """The step with the best monitored figure, or the latest where none has one."""
        values = {s: v for s in self.steps() if (v := self._monitored(s)) is not None}
        if not values:
            return self.latest()
        return (min if self.mode == "min" else max)(values, key=lambda s: (values[s], s))

    def _monitored(self, step: int) -> float | None:
        path = self.folder / str(step) / "metrics" / "metrics"
        try:
            return json.loads(path.read_text())[_MONITOR]
        except (OSError, ValueError, KeyError):
            return None

    def save(self, state: TrainState, monitored: float | None = None) -> None:
        """Starts to save; a second save waits for the first. Saving a step twice does nothing."""
        step = int(state.step)
        if step in self.steps():
            return
        # A copy: the next training step donates the state's own buffers.
        plain = jax.tree.map(jnp.copy, _with_key_data(state))
        metrics = None if monitored is None else {_MONITOR: monitored}
        self._manager.save(step, args=ocp.args.StandardSave(plain), metrics=metrics)

    def wait(self) -> None:
        """Blocks until everything started is on disk; raises what went wrong."""
        self._manager.wait_until_finished()

    def restore(self, step: int, template: TrainState, mesh: DataMesh) -> TrainState:
        """The state saved at `step`, replicated over the mesh.

        Args:
          step: one of `steps()`.
          template: shapes and dtypes, from `abstract_state`.
          mesh: where to put it.

        Raises:
          UserError: for a damaged checkpoint, or one of another model.
        """
        target = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=mesh.replicated),
            jax.eval_shape(_with_key_data, template),
        )
        try:
            plain = self._manager.restore(step, args=ocp.args.StandardRestore(target))
        except Exception as error:  # Orbax raises many kinds, all meaning the same here
            raise _unreadable(self.folder, step, self.steps(), error) from error
        return plain.replace(key=jax.random.wrap_key_data(plain.key))


def _with_key_data(state: TrainState) -> Any:
    """Typed keys are no arrays to Orbax: their raw words are saved."""
    return state.replace(key=jax.random.key_data(state.key))


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keeps stderr to the one line that says which checkpoint is damaged, or that the disk is full.

    When one of Orbax's reads or writes fails, it drops the others, which print a traceback each as
    they end or find their event loop closed, perhaps much later. So after a failure the silence
    stays.
    """
    logger = logging.getLogger("asyncio")
    level = logger.level
    hook, unraisable_hook = sys.excepthook, sys.unraisablehook

    def is_late(error: BaseException | None) -> bool:
        return isinstance(error, RuntimeError) and "Event loop is closed" in str(error)

    def quiet_hook(kind: Any, error: Any, trace: Any) -> None:
        if not is_late(error):
            hook(kind, error, trace)

    def quiet_unraisable_hook(unraisable: Any) -> None:
        if not (is_late(unraisable.exc_value) or inspect.iscoroutine(unraisable.object)):
            unraisable_hook(unraisable)

    logger.setLevel(logging.CRITICAL)
    sys.excepthook, sys.unraisablehook = quiet_hook, quiet_unraisable_hook
    yield
    logger.setLevel(level)
    sys.excepthook, sys.unraisablehook = hook, unraisable_hook


def _check_figures(folder: Path) -> None:
    """Looks at the monitored figures of all checkpoints, which Orbax reads without asking.

    Raises:
      UserError: naming the checkpoint whose figure can't be read.
    """
    paths = [p for p in folder.glob("*/metrics/metrics") if p.parts[-3].isdigit()]
    for path in paths:
        try:
            float(json.loads(path.read_text())[_MONITOR])
        except (ValueError, KeyError, TypeError) as error:
            steps = [int(p.parts[-3]) for p in paths]
            raise _unreadable(folder, int(path.parts[-3]), steps, error) from error


def _unreadable(folder: Path, step: int, steps: list[int], error: Exception) -> UserError:
    others = [s for s in steps if s != step]
    way_out = (
        f"remove it to go on from step {max(others)}"
        if others
        else "put a copy back, or train in another --run folder"
    )
    reason = " ".join(str(error).split())[:160]
    return UserError(f"checkpoint {folder / str(step)} can't be read; {way_out} ({reason})")
