"""A record of a finished run, where the run is one of a recipe as it stands."""

import dataclasses
import datetime
import math
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.data.sets.toy import GaussianModes
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.quality import LEAST_SAMPLES
from gm_jax.experiment import Experiment
from gm_jax.experiment_file import Recipe, load, resolve
from gm_jax.experiment_json import load_json
from gm_jax.metrics.modes import mode_coverage
from gm_jax.model import can, kind_of
from gm_jax.results.digest import digest, overrides
from gm_jax.results.record import Record
from gm_jax.results.samples_table import FLOOR, IN_FEATURES, SHOWN
from gm_jax.run import Run, open_run
from gm_jax.training.checkpoint import Checkpoints
from gm_jax.training.folder import RunFolder
from gm_jax.training.patience import Patience
from gm_jax.training.provenance import parts_of
from gm_jax.training.records import read_records, spent
from gm_jax.training.sharding import on_accelerator

_READ = 5_000  # samples that a classifier reads
_HELD = (10_000, 5_000, 2_000, 1_000, 500)  # samples held against the test split
_DRAWING_SECONDS = 60.0
_PROBE = 50  # samples whose drawing is timed
_POINTS = 2_500  # as VEEGAN counts them


def is_finished(folder: Path, experiment: Experiment) -> bool:
    """Whether a run has done all its steps, or its patience ran out."""
    run = RunFolder(folder)
    done = Checkpoints(run.checkpoints).latest() or 0
    if done >= experiment.training.num_steps:
        return True
    return bool(done) and Patience(experiment, read_records(run.metrics)).exhausted


def measure(
    folder: Path, file: str | None = None, classifier: Path | None = None
) -> tuple[Recipe, Record]:
    """The record of a run, and the recipe that it is of.

    Figures of the test split that the training ended with are taken as they are; what is missing is
    evaluated now.

    Args:
      folder: of the run.
      file: where the recipe is, if not found by the run's name.
      classifier: folder of a classifier's run, to read the labels of samples with.

    Raises:
      UserError: for a run with overrides or given weights, one that is not finished, or of code in
        no commit; and where there is no recipe of its name.
    """
    run = RunFolder(folder)
    experiment, _ = run.load()
    plain = load_json(run.experiment)
    if init := plain.get("init"):
        raise UserError(
            f"{folder} started from {init['path']}: a record is of a recipe alone; train it anew "
            "in another folder, without given weights",
            "--run",
        )
    recipe = _recipe_of(folder, experiment, file)
    _check_settings(folder, load(recipe.typed), experiment, plain["numerics"])
    if not is_finished(folder, experiment):
        done, all_steps = Checkpoints(run.checkpoints).latest() or 0, experiment.training.num_steps
        raise UserError(
            f"{folder} is not finished: step {done:,} of {all_steps:,}",
            f"gm-jax train {recipe.name} --run {folder} goes on",
        )
    opened = open_run(folder)
    lines = read_records(run.metrics)
    steps = Checkpoints(run.checkpoints).latest() or 0
    trained = [part for part in parts_of(plain) if part["step"] < steps]
    if any(part.get("dirty") for part in trained):
        raise UserError(
            f"{folder} was trained by code that is in no commit: commit it, and train anew in "
            "another folder",
            "--run",
        )
    took, machine = spent(lines), trained[-1].get("machine")
    accelerators = (machine or {}).get("accelerators")
    num_devices = int(accelerators.split()[0]) if accelerators else 0
    ended = datetime.datetime.fromtimestamp(run.metrics.stat().st_mtime)
    return recipe, Record(
        name=recipe.name,
        seed=experiment.seed,
        digest=digest(experiment, plain["numerics"]),
        family=type(experiment.model).__name__,
        numerics=plain["numerics"],
        levels=None if opened.spec.continuous else opened.spec.num_levels,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(opened.state.params)),
        step=opened.step,
        steps=steps,
        examples=steps * experiment.data.batch_size,
        stopped_early=steps < experiment.training.num_steps,
        core_minutes=took.cpu_seconds / 60,
        device_minutes=took.seconds / 60 * num_devices if num_devices else None,
        peak_mib=took.peak_mib,
        machine=machine,
        versions=trained[-1]["versions"],
        commit=trained[-1]["commit"],
        date=ended.date().isoformat(),
        figures={**_test_figures(opened, lines), **_figures_of_samples(opened, classifier)},
        valid=_figures_at(lines, "valid", opened.step),
        lead_times=_lead_times(opened),
    )


def _recipe_of(folder: Path, experiment: Experiment, file: str | None) -> Recipe:
    if file is None and not experiment.name:
        raise UserError(f"{folder} is of no experiment file: name it", "--experiment FILE")
    if file is None:
        return resolve(experiment.name)
    _, colon, variant = experiment.name.partition(":")
    recipe = resolve(f"{file}{colon}{variant}")
    if recipe.name != experiment.name:
        raise UserError(f"{folder} is a run of {experiment.name}, not of {recipe.name}")
    return recipe


def _check_settings(
    folder: Path, recipe: Experiment, experiment: Experiment, numerics: int
) -> None:
    """Looks whether a run is one of the recipe as it stands.

    Raises:
      UserError: where it is not; it names what differs.
    """
    if digest(experiment, numerics) == digest(recipe):
        return
    changed = overrides(recipe, experiment)
    if changed:
        path, ours, theirs = changed[0]
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise UserError(
            f"{folder} is no run of {recipe.name} as it stands: {path} is {theirs} there and "
            f"{ours} in the recipe{more}; make it a variant of the experiment, or train the recipe"
        )
    raise UserError(
        f"{folder} was trained by version {numerics} of the updates of "
        f"{type(recipe.model).__name__}, and this is version {recipe.model.numerics}: train anew"
    )


def _figures_at(lines: list[dict[str, Any]], phase: str, step: int) -> dict[str, float]:
    """Finite figures of the last line of a phase at a step; none where there is no such line."""
    found = [line for line in lines if line["phase"] == phase and line["step"] == step]
    told = found[-1] if found else {}
    return {
        name: value
        for name, value in told.items()
        if name not in ("step", "n") and isinstance(value, int | float)
    }


def _test_figures(run: Run, lines: list[dict[str, Any]]) -> dict[str, Figure]:
    told = [
        line
        for line in lines
        if line["phase"] == "test" and line["step"] == run.step and "stderr" in line
    ]
    if not told:
        measured = run.evaluate("test", show_progress=True)
        return {
            name: dataclasses.replace(f, stderr=_finite(f.stderr))
            for name, f in measured.items()
            if math.isfinite(f.value)
        }
    stderr, num = told[-1]["stderr"], told[-1]["n"]  # "nan" is a word there
    return {
        name: Figure(value, _kind(run, name), num, _finite(float(stderr[name])))
        for name, value in _figures_at(told, "test", run.step).items()
    }


def _finite(stderr: float) -> float:
    """A standard error as records have it: 0 where there is none, as of a single group."""
    return stderr if math.isfinite(stderr) else 0.0


def _kind(run: Run, name: str) -> Any:
    """The kind of a figure; that of −log p in bits is that of nats."""
    known = "neg_log_prob" if name == "neg_log_prob_bits_per_dim" else name
    return kind_of(run.model, known, run.spec)


def _figures_of_samples(run: Run, classifier: Path | None) -> dict[str, Figure]:
    """What a classifier reads from samples, or how they cover modes that are known."""
    if not can(run.model, run.spec, "sample"):
        return {}
    source = run.experiment.data.source
    if isinstance(source, GaussianModes):
        points = run.sample(_POINTS).reshape(_POINTS, -1)
        found = mode_coverage(jnp.asarray(points), jnp.asarray(source.centers), source.scale)
        share = float(found.good_share)
        error = math.sqrt(share * (1 - share) / _POINTS)
        return {
            "good_share": Figure(share, "estimate", _POINTS, error),
            "modes_held": Figure(float(found.modes_held), "estimate", _POINTS),
        }
    if classifier is None:
        return {}
    reader = open_run(classifier)
    read = run.evaluate_samples(reader, _READ)
    plain = {name: figure for name, figure in read.items() if "/" not in name}
    return plain | _sample_quality(run, reader)


def _sample_quality(run: Run, reader: Run) -> dict[str, Figure]:
    """Figures of as many samples as can be drawn in a minute, with the features in their names."""
    if not can(reader.model, reader.spec, "embed"):
        return {}
    if run.experiment.data.open("test").num_examples < LEAST_SAMPLES:
        return {}
    num = _affordable(run)
    if num is None:
        return {}
    measured = run.sample_quality(reader, num).measured
    names = (*SHOWN, FLOOR)
    return {f"{n}{IN_FEATURES}{measured.features}": measured.figures[n] for n in names}


def _affordable(run: Run) -> int | None:
    """How many samples take a minute or less, of CPU time where that is what draws; or None."""
    clock = time.monotonic if on_accelerator() else time.process_time
    run.sample(_PROBE)  # compiles
    start = clock()
    run.sample(_PROBE)
    most = _DRAWING_SECONDS * _PROBE / max(clock() - start, 1e-9)
    return next((num for num in _HELD if num <= most), None)


def _lead_times(run: Run) -> dict[str, Any] | None:
    if not can(run.model, run.spec, "forecast"):
        return None
    return run.evaluate_lead_times("test").plain()
