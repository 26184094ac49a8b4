"""Runs to compare, read from their folders: experiment.json, metrics.jsonl, measured.json.

Needs no jax, but for the kinds of figures of runs that were trained before their records had them.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.measured import read_measured
from gm_jax.results.entry import Entry
from gm_jax.results.parameters import count_parameters
from gm_jax.results.settings import data_of, recipe_of, settings
from gm_jax.training.records import METRICS, read_records, spent

_EXPERIMENT = "experiment.json"

SplitName = Literal["test", "valid"]


def run_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold a run, in the order of their names; none below another."""
    if (folder / _EXPERIMENT).is_file():
        yield folder
        return
    for inner in sorted(p for p in folder.iterdir() if p.is_dir()):
        yield from run_folders(inner)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The runs that were named, and those in folders that were; each once.

    Raises:
      UserError: for a path at which there is none.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise UserError(f"there is no run {path} (gm-jax runs lists those that there are)")
        runs = list(run_folders(path))
        if not runs:
            raise UserError(f"no run lies in {path} (gm-jax train makes one)")
        for run in runs:
            found.setdefault(run.resolve(), run)
    return list(found.values())


def read_experiment(folder: Path) -> dict[str, Any]:
    """What experiment.json of a run says.

    Raises:
      UserError: where it can't be read.
    """
    path = folder / _EXPERIMENT
    try:
        plain = json.loads(path.read_text())
        settings(plain["experiment"])
        plain["spec"]["shape"], plain["experiment"]["data"], plain["experiment"]["training"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__} {error}): leave {folder} out"
        ) from error
    return plain


def entry_of_run(folder: Path, split: SplitName = "test") -> Entry:
    """The run in a folder with its last figures of a split, and those of its samples.

    Figures of samples count where they are of the checkpoint that the other figures are of.

    Raises:
      UserError: where its files can't be read.
    """
    plain = read_experiment(folder)
    experiment, spec = plain["experiment"], plain["spec"]
    lines = read_records(folder / METRICS)
    told: dict[str, Any] = next(
        (line for line in reversed(lines) if line.get("phase") == split), {}
    )
    flat = settings(experiment)
    if init := plain.get("init"):  # it is no other seed of a run that started afresh
        flat["init"] = f"{init['experiment'] or init['path']} {init['digest'][:8]}"
    steps = newest_step(folder)
    batch = experiment["data"].get("batch_size")
    levels = None if spec.get("continuous") else spec.get("num_levels", 256)
    shape = "x".join(map(str, spec["shape"]))
    took = spent(lines)
    accelerators = (last_part(plain).get("machine") or {}).get("accelerators")  # "1 NVIDIA H200"
    devices = int(accelerators.split()[0]) if accelerators else 0
    measured = measured_of(folder, split, told.get("step"))
    return Entry(
        name=plain.get("name", "") or folder.name,
        seed=experiment.get("seed", 0),
        family=flat["model"],
        recipe=recipe_of({**flat, "numerics": plain.get("numerics", 1), "of": plain.get("name")}),
        settings=flat,
        data={"shape": shape, "levels": levels or "none", **data_of(experiment, split)},
        levels=levels,
        parameters=_count_parameters(folder),
        steps=steps,
        examples=None if batch is None else steps * batch,
        core_minutes=took.cpu_seconds / 60,
        device_minutes=took.seconds / 60 * devices if devices else None,
        finished=bool(told),
        figures={**figures_of(folder, told), **measured},
        folder=folder,
    )


def last_part(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the last part of a run was trained by; early runs had one part, without a machine."""
    last: Mapping[str, Any] = [*plain.get("parts", [plain])][-1]
    return last


def newest_step(folder: Path) -> int:
    """Of the checkpoints of a run; 0 where there is none."""
    return max((step for step, _ in _checkpoints(folder)), default=0)


def _count_parameters(folder: Path) -> int | None:
    """Of the newest checkpoint of a run that can be read."""
    for _, path in sorted(_checkpoints(folder), reverse=True):
        if (found := count_parameters(path)) is not None:
            return found
    return None


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    return [(int(p.name), p) for p in (folder / "checkpoints").glob("*") if p.name.isdecimal()]


def figures_of(folder: Path, told: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of a line of metrics.jsonl that are finite."""
    names = [
        name
        for name, value in told.items()
        if isinstance(value, int | float) and name not in ("step", "n") and math.isfinite(value)
    ]
    if not names:
        return {}
    kinds = told.get("kinds") or _kinds(folder, names)
    errors = told.get("stderr", {})
    return {
        name: Figure(
            told[name],
            kinds.get(name, "estimate"),
            told.get("n", 0),
            errors[name] if isinstance(errors.get(name), float) else 0.0,
        )
        for name in names
    }


def _kinds(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """What figures are worth by the run's family; nothing where its classes are not at hand."""
    from gm_jax.experiment_json import load_json
    from gm_jax.model import kind_of

    try:
        plain = load_json(folder / _EXPERIMENT)
    except UserError:
        return {}
    same = {"neg_log_prob_bits_per_dim": "neg_log_prob"}  # in another unit
    model, spec = plain["experiment"].model, plain["spec"]
    return {name: kind_of(model, same.get(name, name), spec) for name in names}


def measured_of(folder: Path, split: str, step: int | None) -> dict[str, Figure]:
    """What was measured of samples beside a split, at a step (None: the last one that was)."""
    found = [m for m in read_measured(folder) if m.split == split]
    if step is None and found:
        step = max(m.step for m in found)
    figures: dict[str, Figure] = {}
    # Of several sets of samples the largest, and of these that of the first seed.
    for one in sorted(found, key=lambda m: (m.num, -m.seed)):
        if one.step == step:
            figures |= {f"{name}@{one.features}": f for name, f in one.figures.items()}
    return figures
