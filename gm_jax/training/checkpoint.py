"""Checkpoints as they are read: verified, also while another process is writing more."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, Literal

import jax
import orbax.checkpoint as ocp

from gm_jax.errors import UserError
from gm_jax.model import TrainState
from gm_jax.training.digests import check_digests
from gm_jax.training.quiet import hushed
from gm_jax.training.sharding import DataMesh

STATE = "default"
"""Orbax's folder in that of a checkpoint."""
FIGURE = "metrics/metrics"
"""The file with the figure that picks the best checkpoint, where there is one."""
PENDING = "pending.json"
"""The file with the metrics of steps that no line of the record tells of, where there are any."""
MONITOR = "monitor"
"""The figure's name in its file."""

_TRIES = 20  # each fails only where a checkpoint is removed while it is read
_PAUSE = 0.2  # seconds, in which a folder that somebody is removing has changed

Step = int | Literal["latest", "best"]
Rows = list[dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Saved:
    """What a run goes on from.

    Attributes:
      step: of the checkpoint.
      state: as it was saved.
      pending: metrics of the last steps, of which no line of the record tells.
      damaged: what is wrong with each checkpoint that was passed over, by its step.
    """

    step: int
    state: TrainState
    pending: Rows = dataclasses.field(default_factory=list)
    damaged: dict[int, str] = dataclasses.field(default_factory=dict)


class _GoneError(Exception):
    """The checkpoint was removed while it was being read."""


class _UnreadableError(Exception):
    """A checkpoint that is there can't be read; the message says why."""

    def __init__(self, step: int, reason: str):
        super().__init__(reason)
        self.step = step


class Checkpoints:
    """The folder checkpoints/ of a run, one subfolder a step, to read from.

    A subfolder gets its name when it is whole, and loses it before it is removed: all that is seen
    here was committed. Nothing is locked, so the run may go on saving and removing meanwhile.
    """

    def __init__(self, folder: Path, mode: Literal["min", "max"] = "min"):
        """`mode` says whether the best figure is the least or the greatest."""
        self.folder = folder
        self.mode = mode

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, ascending."""
        if not self.folder.is_dir():
            return []
        names = [path.name for path in self.folder.iterdir() if path.is_dir()]
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def latest(self) -> int | None:
        """The last step saved, or None."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """The step with the best monitored figure, or the latest where none has one."""
        values: dict[int, float] = {}
        for step in self.steps():
            try:
                value = self._figure(step)
            except _GoneError:
                continue
            if value is not None:
                values[step] = value
        if not values:
            return self.latest()
        return (min if self.mode == "min" else max)(values, key=lambda s: (values[s], s))

    def restore(self, wanted: Step, template: TrainState, mesh: DataMesh) -> TrainState:
        """A state, placed on the mesh, on however many devices it was saved.

        Where the run removes a checkpoint that is being read, another one was saved: "latest" and
        "best" then mean that one.

        Args:
          wanted: one of `steps()`, "latest" or "best".
          template: shapes and dtypes, from `abstract_state`.
          mesh: where to put it.

        Raises:
          UserError: where there is no such checkpoint; for a damaged one, or one of another model,
            naming one that can be read.
        """
        for _ in range(_TRIES):
            try:
                return self._load(self._find(wanted), template, mesh)
            except _GoneError:
                continue
            except _UnreadableError as error:
                others = [step for step in reversed(self.steps()) if step != error.step]
                good = next((s for s in others if self._can_load(s, template, mesh)), None)
                raise self._refusal(error, good) from error
        raise UserError(
            f"{self.folder.parent} removes its checkpoints faster than they can be read: wait for "
            "its end, or train it with a larger training.keep_latest"
        )

    def resume(self, template: TrainState, mesh: DataMesh) -> Saved | None:
        """What the process that writes here goes on from: the last step that can be read.

        Args:
          template: as for `restore`.
          mesh: as for `restore`.

        Returns:
          None where nothing was saved.

        Raises:
          UserError: where there are checkpoints, and none can be read.
        """
        damaged: dict[int, _UnreadableError] = {}
        saved: tuple[int, TrainState, Rows] | None = None
        for step in reversed(self.steps()):
            try:
                self._figure(step)  # without which no best one can be found
                if saved is None:
                    saved = step, self._load(step, template, mesh), self._pending(step)
            except _GoneError:  # by a hand
                continue
            except _UnreadableError as error:
                damaged[step] = error
        if saved is not None:
            return Saved(*saved, {step: str(error) for step, error in damaged.items()})
        if damaged:
            raise self._refusal(damaged[max(damaged)], None)
        return None

    def _find(self, wanted: Step) -> int:
        named = {"latest": self.latest, "best": self.best}
        step = named[wanted]() if isinstance(wanted, str) else wanted
        steps = self.steps()
        if step in steps:
            return step
        if isinstance(wanted, str) and steps:
            raise _GoneError
        have = ", ".join(map(str, steps)) or "none"
        raise UserError(f"{self.folder.parent} has no checkpoint of step {wanted}; it has: {have}")

    def _figure(self, step: int) -> float | None:
        path = self.folder / str(step)
        with _Reading(path, step):
            check_digests(path, only=FIGURE)
            if not (path / FIGURE).exists():
                return None
            return float(json.loads((path / FIGURE).read_text())[MONITOR])

    def _pending(self, step: int) -> Rows:
        path = self.folder / str(step) / PENDING
        return json.loads(path.read_text()) if path.exists() else []

    def _load(self, step: int, template: TrainState, mesh: DataMesh) -> TrainState:
        plain = jax.eval_shape(with_key_data, template)
        target = jax.tree.map(
            lambda x, placed: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=placed),
            plain,
            mesh.for_state(plain),
        )
        path = self.folder / str(step)
        with _Reading(path, step):
            check_digests(path)
            with hushed(), ocp.StandardCheckpointer() as orbax:
                plain = orbax.restore((path / STATE).resolve(), target)
        return plain.replace(key=jax.random.wrap_key_data(plain.key))

    def _can_load(self, step: int, template: TrainState, mesh: DataMesh) -> bool:
        try:
            self._load(step, template, mesh)
        except (_GoneError, _UnreadableError):
            return False
        return True

    def _refusal(self, error: _UnreadableError, good: int | None) -> UserError:
        where = f"checkpoint {self.folder / str(error.step)} can't be read"
        if good is None:
            way_out, option = "put a copy back, or train in another folder", "--run"
        else:
            way_out, option = f"give step {good}, which can be read", f"--step {good}"
        return UserError(f"{where}; {way_out} ({error})", option)


def with_key_data(state: TrainState) -> Any:
    """The state as it is saved: typed keys are no arrays to Orbax, so their raw words are."""
    return state.replace(key=jax.random.key_data(state.key))


class _Reading:
    """A block that reads a checkpoint: it fails because that was removed, or can't be read."""

    def __init__(self, path: Path, step: int):
        self._path, self._step = path, step

    def __enter__(self) -> None:
        self._inode = _inode(self._path)
        if self._inode is None:
            raise _GoneError

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception):  # Orbax raises many kinds, all meaning the same here
            return
        before = _listing(self._path)
        if _inode(self._path) == self._inode:
            time.sleep(_PAUSE)  # files may be going one by one: it is no writer of ours, then
        if _inode(self._path) != self._inode or _listing(self._path) != before:
            raise _GoneError from error
        raise _UnreadableError(self._step, " ".join(str(error).split())[:160]) from error


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _listing(path: Path) -> list[Path]:
    return sorted(path.rglob("*"))
