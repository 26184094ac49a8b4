"""Which recipes are to be trained for their records, cheapest first. Needs no jax."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from gm_jax.experiment_file import ExperimentFile
from gm_jax.results.record import read_recorded
from gm_jax.results.tables import group_of

_READER = "classifier"  # reads the samples of others of its data, so it comes before them
_CHEAP, _CHEAP_MINUTES, _MINUTES = ("digits", "toy"), 15.0, 60.0
_OWN = ("arrays", "folder", "points", "sequences")  # are for data that a user brings
_ACCELERATED = "paper"  # the variant that is for an accelerator
_BUDGET = re.compile(r"^Budget: ([\d,]+) (core|device)-minutes", re.MULTILINE)


class Budget(NamedTuple):
    """What a recipe may take: core-minutes, or minutes of an accelerator."""

    minutes: float
    accelerated: bool


class Task(NamedTuple):
    """One run to make.

    Attributes:
      name: of the recipe.
      seed: of the run; None: the recipe's own.
      budget: what it took last, or may take.
      folder: of the run.
    """

    name: str
    seed: int | None
    budget: Budget
    folder: Path


def plan(
    files: Iterable[ExperimentFile], patterns: Sequence[str], seeds: Sequence[int], runs: Path
) -> list[Task]:
    """The runs of all recipes that a pattern fits, cheapest first.

    Those for data that a user brings are among them only where a pattern fits them.

    Args:
      files: the experiments.
      patterns: such as "digits/*" or "mnist/pixelcnn:paper"; none: all.
      seeds: a run for each; none: that of the recipe.
      runs: the folder below which the runs lie.
    """
    tasks = [
        Task(name, seed, expected(file, name), run_folder(runs, name, seed))
        for file in files
        for name in file.recipes
        if any(fnmatch(name, pattern) for pattern in patterns)
        or (not patterns and group_of(name) not in _OWN)
        for seed in seeds or (None,)
    ]
    readers = {group_of(t.name): t.budget.minutes for t in tasks if _is_reader(t.name)}

    def order(task: Task) -> tuple[float, bool, str, int]:
        before = readers.get(group_of(task.name), 0.0)
        own = task.budget.minutes
        return max(own, before), not _is_reader(task.name), task.name, task.seed or 0

    return sorted(tasks, key=order)


def expected(file: ExperimentFile, name: str) -> Budget:
    """What a recipe took when it was recorded, or the budget that its docstring declares.

    A line says it, e.g. "Budget: 240 core-minutes". Without: 15 of digits and toys, 60 of others.
    """
    records = [record for record in read_recorded(file.path) if record.name == name]
    if records and records[0].device_minutes is not None:
        return Budget(records[0].device_minutes, True)
    if records:
        return Budget(records[0].core_minutes, False)
    variant = name.partition(":")[2]
    if declared := _BUDGET.search(file.variants[variant] if variant else file.doc):
        return Budget(float(declared[1].replace(",", "")), declared[2] == "device")
    minutes = _CHEAP_MINUTES if group_of(name) in _CHEAP else _MINUTES
    return Budget(minutes, variant == _ACCELERATED)


def run_folder(runs: Path, name: str, seed: int | None) -> Path:
    """RUNS/mnist/pixelcnn-paper, or RUNS/mnist/pixelcnn-paper-seed-1; 0 is what recipes have."""
    return runs / f"{name.replace(':', '-')}{f'-seed-{seed}' if seed else ''}"


def reader_name(name: str) -> str:
    """The recipe of the classifier that reads what a recipe draws, if there is one of its data."""
    return f"{group_of(name)}/{_READER}"


def _is_reader(name: str) -> bool:
    return name.partition("/")[2] == _READER
