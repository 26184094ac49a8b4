"""A run's folder: what lies where, and whether a run may go on in it."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_code import Code
from gm_jax.experiment_json import (
    code_for,
    differences,
    load_json,
    read_json,
    to_plain,
)
from gm_jax.training.provenance import part_from, parts_of
from gm_jax.whole_file import write_text

_LOCK = ".lock"

# Fields that may change between two parts of one run: none of them enters an update.
_OPERATIONAL = (
    "model.sampling.",
    "training.",
    "evaluation.",
    "sharding.",
    "data.device_budget_mib",
    "data.num_threads",
)


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths in a run's folder, which can be moved.

    Nothing in it holds an absolute path but that of a file of somebody's own classes, which may be
    given anew.
    """

    path: Path

    @property
    def experiment(self) -> Path:
        return self.path / "experiment.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    def record(self) -> dict[str, Any]:
        """What experiment.json says, as plain values.

        Raises:
          UserError: where the folder is missing or holds no run.
        """
        if not self.path.is_dir():
            raise UserError(f"there is no run {self.path} (gm-jax train makes one)")
        return read_json(self.experiment)

    def load(self, code: Code | None = None) -> tuple[Experiment, DataSpec]:
        """The experiment of an existing run, and what its data were like.

        The data themselves need not be there: a run can be sampled anywhere.

        Args:
          code: that has the classes of somebody's own; None: what the run was trained with.

        Raises:
          UserError: where the folder is missing or holds no run.
        """
        self.record()
        plain = load_json(self.experiment, code)
        return plain["experiment"], plain["spec"]

    def check(self, experiment: Experiment) -> None:
        """Looks whether this experiment may be trained here; writes nothing.

        Raises:
          UserError: where the folder holds something else, or a run that differs in a field that
            enters the updates.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file: give a folder", "--run")
        if self.experiment.exists():
            name = read_json(self.experiment).get("name", "")
            if name != experiment.name:
                raise UserError(
                    f"{self.path} holds a run of {name or 'another experiment'}, not of "
                    f"{experiment.name or 'this one'}: give another folder",
                    "--run",
                )
            self._check_resumption(load_json(self.experiment, code_for(experiment)), experiment)
        elif self.path.is_dir() and any(_is_whole(p) for p in self.path.iterdir()):
            raise UserError(
                f"{self.path} is not empty and holds no run: give another folder", "--run"
            )

    def _check_resumption(self, old: dict[str, Any], experiment: Experiment) -> None:
        """Raises UserError where updates would not go on as they began."""
        if not self.has_checkpoint():
            return
        found = differences(old["experiment"], experiment)
        found = [d for d in found if not d.path.startswith(_OPERATIONAL)]
        if found:
            raise UserError(
                f"{self.path} holds a run that differs: {found[0]}: give another folder, or remove "
                "this one",
                "--run",
            )
        numerics = experiment.model.numerics
        if old["numerics"] != numerics:
            raise UserError(
                f"{self.path} was trained by version {old['numerics']} of the updates of "
                f"{type(experiment.model).__name__}, and this is version {numerics}: train anew in "
                "another folder; to sample and to evaluate it still works",
                "--run",
            )

    def _check_columns(self, old: DataSpec, new: DataSpec) -> None:
        """Raises UserError where a table has changed so much that a model would see other units."""
        if old.columns != new.columns:
            raise UserError(
                f"{self.path} was trained on a table that has changed since: its columns, or their "
                "mean and deviation, are others now; put the table back, or train anew in another "
                "folder",
                "--run",
            )

    def has_checkpoint(self) -> bool:
        """Whether anything was saved, be it damaged."""
        return self.checkpoints.is_dir() and any(_is_whole(p) for p in self.checkpoints.iterdir())

    def claim(
        self,
        experiment: Experiment,
        spec: DataSpec,
        step: int,
        init: dict[str, Any] | None = None,
    ) -> None:
        """Makes the folder ready for this experiment, new or resumed. To be called when `locked`.

        A run that failed before its first checkpoint gives way: there is nothing to go on from.

        Args:
          experiment: that is trained.
          spec: of its data.
          step: from which on it is trained.
          init: whose weights a run of step 0 starts from; kept as long as it goes on.

        Raises:
          UserError: as `check`, which another process may have made differ since; or where the
            table that the run learns from has other columns by now, or another standardization.
        """
        self.check(experiment)
        if step:
            self._check_columns(load_json(self.experiment, code_for(experiment))["spec"], spec)
        before = read_json(self.experiment) if step else {}
        parts = parts_of(before) if step else []
        earlier = [part for part in parts if part["step"] < step]
        record: dict[str, Any] = {
            "name": experiment.name,
            "experiment": to_plain(experiment),
            "spec": to_plain(spec),
            "numerics": experiment.model.numerics,
            "parts": [*earlier, part_from(step)],
        }
        if init := before.get("init", init):
            record["init"] = init
        if code := code_for(experiment):
            record["code"] = code.record()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.experiment, json.dumps(record, indent=2) + "\n")
        self.samples.mkdir(exist_ok=True)


def _is_whole(path: Path) -> bool:
    """Not the lock, nor what was still being written when a process or a disk gave out."""
    return not path.name.startswith(".")


def is_locked(path: Path) -> bool:
    """Whether a process is training there just now."""
    import fcntl

    try:
        with (path / _LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody ever trained there, or locks are not known
        return False
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the folder, which is made if need be, for one process at a time.

    Raises:
      UserError: while another process trains in it.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (path / _LOCK).open("w") as file:
        try:
            _lock(file)
        except BlockingIOError as error:
            raise UserError(
                f"another process is training in {path}: wait for it, or give another folder",
                "--run",
            ) from error
        yield


def _lock(file: IO[str]) -> None:
    """Locks a file; one who only looks (`is_locked`) holds it for a moment.

    Raises:
      BlockingIOError: another process holds it.
    """
    import fcntl

    for _ in range(5):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.02)
    return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
