"""gm-jax results."""

import dataclasses
import itertools
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.errors import UserError

if TYPE_CHECKING:
    from gm_jax.experiment import Experiment
    from gm_jax.experiment_file import ExperimentFile
    from gm_jax.results.plan import Task


@dataclasses.dataclass(frozen=True)
class Results(Command):
    """Make the pages of records anew; with --train, first the records that are missing or old.

    Trains each recipe from its file, cheapest first, and records what it measures. It may be
    stopped at any moment: the same command goes on, and so do the runs.
    Example: gm-jax results --train "digits/*" --minutes 120
    """

    which: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipes by pattern: "digits/*", "mnist/pixelcnn:paper" (default: all)."""
    train: bool = False
    """Train what has no record of the recipe as it stands."""
    plan: bool = False
    """Only say what --train would do, in its order."""
    minutes: float | None = None
    """Stop after this time; what was begun goes on the next time."""
    seeds: tuple[int, ...] = ()
    """Train each recipe once for every seed (default: its own)."""
    runs: Path | None = None
    """Folder of the runs (default: ~/.cache/gm_jax/runs)."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        if self.minutes is not None and not 0 <= self.minutes < math.inf:
            raise UserError(f"--minutes must be 0 or greater and finite, not {self.minutes:g}")
        root = _checkout()
        if self.train or self.plan:
            self._train(root)
        from gm_jax.results.pages import remake

        for page in remake(root):
            say("page", str(page))
        return 0

    def _train(self, root: Path) -> None:
        """Makes the records.

        Raises:
          UserError: where a run failed, after all others.
        """
        from gm_jax.experiment_file import describe
        from gm_jax.results.plan import plan
        from gm_jax.training.provenance import uncommitted

        end = None if self.minutes is None else time.monotonic() + 60 * self.minutes
        files = [describe(path) for path in sorted((root / "experiments").glob("*/*.py"))]
        runs = _runs_folder() if self.runs is None else self.runs
        tasks = plan(files, self.which, self.seeds, runs.absolute())
        if not tasks:
            raise UserError(f"no recipe fits {' '.join(self.which)} (gm-jax list shows all)")
        dirty = uncommitted()
        if dirty:
            say(
                "results",
                f"{dirty[0]} is in no commit{_and_more(dirty)}: what is trained now "
                "can't be recorded; commit first for records",
            )
        accelerated = _has_accelerator()
        failed = []
        for i, task in enumerate(tasks, 1):
            topic = f"{i} of {len(tasks)}"
            why = _why_not(root, task, accelerated)
            if why is not None:
                say(topic, f"{task.name} · {why}")
                continue
            unit = "device" if task.budget.accelerated else "core"
            say(
                topic,
                f"{task.name} · about {task.budget.minutes:.0f} {unit}-minutes · {task.folder}",
            )
            if self.plan:
                continue
            _put_aside(root, task)
            reader = None if dirty else _reader(files, task, runs.absolute())
            match _make(root, task, reader, end, record=not dirty):
                case "stopped":
                    say("results", f"{self.minutes:g} minutes are over · the same command goes on")
                    break
                case "failed":
                    failed.append(task.name)
        if failed:
            raise UserError(f"{len(failed)} of {len(tasks)} failed: {', '.join(failed)}")


def _checkout() -> Path:
    from gm_jax.experiment_file import experiment_folders
    from gm_jax.results.pages import checkout_of

    for folder in experiment_folders():
        if root := checkout_of(folder / "any" / "file.py"):
            return root
    raise UserError("gm-jax results works in a checkout of gm_jax, which has docs/results.md")


def _runs_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gm_jax" / "runs"


def _has_accelerator() -> bool:
    """Asked of another process: this one shall hold no memory of a device."""
    code = "import jax; print(jax.default_backend())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() not in ("", "cpu")


def _why_not(root: Path, task: "Task", accelerated: bool) -> str | None:
    """Why a recipe is not trained now; None: it is."""
    from gm_jax.results.digest import digest
    from gm_jax.results.record import read_recorded

    path = _file_of(root, task)
    try:
        recipe = _recipe_of(root, task)
        same = [r for r in read_recorded(path) if (r.name, r.seed) == (task.name, recipe.seed)]
        if same and same[0].digest == digest(recipe):
            return "has its record"
        if task.budget.accelerated and not accelerated:
            return "is for an accelerator, and there is none"
        recipe.data.source.open(recipe.data.test)
    except UserError as error:
        return f"left out: {error}"
    return None


def _file_of(root: Path, task: "Task") -> Path:
    return root / "experiments" / f"{task.name.partition(':')[0]}.py"


def _recipe_of(root: Path, task: "Task") -> "Experiment":
    """What a task trains, with its seed.

    Raises:
      UserError: where its file can't be read.
    """
    from gm_jax.experiment_file import DEFAULT, load

    recipe = load(f"{_file_of(root, task)}:{task.name.partition(':')[2] or DEFAULT}")
    return recipe if task.seed is None else dataclasses.replace(recipe, seed=task.seed)


def _put_aside(root: Path, task: "Task") -> None:
    """Renames a run of the recipe as it was, which could not go on: it is nobody's to remove."""
    from gm_jax.training.folder import RunFolder, is_locked

    folder = task.folder
    try:
        RunFolder(folder).check(_recipe_of(root, task))
    except UserError:
        if not (folder / "experiment.json").is_file() or is_locked(folder):
            return  # training says what is wrong
        names = (folder.with_name(f"{folder.name}-earlier-{i}") for i in itertools.count(1))
        free = next(name for name in names if not name.exists())
        folder.rename(free)
        say("results", f"{folder} held a run of the recipe as it was: it is {free.name} now")


def _reader(files: Sequence["ExperimentFile"], task: "Task", runs: Path) -> "Task | None":
    """The run of the classifier that reads what a recipe draws, if its data have one."""
    from gm_jax.results.plan import plan, reader_name

    name = reader_name(task.name)
    found = [one for one in plan(files, [name], (), runs) if one.name == name]
    return found[0] if found and task.name != name else None


def _make(root: Path, task: "Task", reader: "Task | None", end: float | None, record: bool) -> str:
    """Trains and records, each in a process of its own: "done", "failed" or "stopped"."""

    def ended() -> str:
        return "stopped" if end is not None and time.monotonic() >= end else "failed"

    seed = [] if task.seed is None else ["--seed", str(task.seed)]
    if _run(["train", task.name, "--run", str(task.folder), *seed], end):
        return ended()
    if not record:
        return "done"
    given = []
    if reader is not None and _could_read(root, reader, task.folder):
        affordable = reader.budget.minutes <= task.budget.minutes
        if affordable and not _reads(reader.folder, task.folder):
            say("results", f"{reader.name} is to read what {task.name} draws: it is trained first")
            if _run(["train", reader.name, "--run", str(reader.folder)], end):
                return ended()
        if _reads(reader.folder, task.folder):
            given = ["--classifier", str(reader.folder)]
    return "done" if _run(["record", str(task.folder), *given], None) == 0 else "failed"


def _could_read(root: Path, reader: "Task", folder: Path) -> bool:
    """Whether a classifier, once trained, can read what a run draws."""
    from gm_jax.evaluation.samples import check_reader
    from gm_jax.model import can
    from gm_jax.training.folder import RunFolder

    try:
        drawn, spec = RunFolder(folder).load()
        recipe = _recipe_of(root, reader)
        check_reader(recipe.model, recipe.data.open(recipe.data.test).spec, spec)
    except UserError:
        return False
    return can(drawn.model, spec, "sample")


def _reads(reader: Path, folder: Path) -> bool:
    """Whether there is a finished classifier that can read what a run draws."""
    from gm_jax.evaluation.samples import check_reader
    from gm_jax.results.measure import is_finished
    from gm_jax.training.folder import RunFolder

    try:
        experiment, known = RunFolder(reader).load()
        check_reader(experiment.model, known, RunFolder(folder).load()[1])
    except UserError:
        return False
    return is_finished(reader, experiment)


def _run(arguments: list[str], end: float | None) -> int:
    """A command of gm-jax; at `end`, of time.monotonic, it is stopped as by Ctrl-C, and saves."""
    process = subprocess.Popen([sys.executable, "-m", "gm_jax.cli", *arguments])
    try:
        return process.wait(None if end is None else max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return process.wait()
    except KeyboardInterrupt:  # it was told too: it saves
        process.wait()
        raise


def _and_more(names: list[str]) -> str:
    return f" (nor {len(names) - 1} more)" if len(names) > 1 else ""
