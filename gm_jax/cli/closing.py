"""What `gm-jax train` says of an experiment before it, and says and makes of a run after it."""

import os
import platform
import shlex
from pathlib import Path

import jax
from clu import parameter_overview

from gm_jax.cli.report import say, spoken
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.samples import check_reader
from gm_jax.experiment import Experiment
from gm_jax.model import can
from gm_jax.run import Run
from gm_jax.training.callbacks import Callback, listening
from gm_jax.training.folder import RunFolder
from gm_jax.training.footprint import state_size
from gm_jax.training.loop import TrainResult
from gm_jax.training.records import Records
from gm_jax.training.sharding import DataMesh, mesh_of
from gm_jax.training.step import abstract_state
from gm_jax.training.tensorboard import TensorBoard
from gm_jax.viz.curves import plot_curves


def introduce(experiment: Experiment, spec: DataSpec) -> None:
    """The machine and the data, whose `spec` a large folder takes long to tell."""
    devices = jax.devices()
    say(
        "gm-jax",
        f"Python {platform.python_version()} · jax {jax.__version__} · "
        f"{len(devices)} {devices[0].platform} ({os.cpu_count()} cores)"
        + (f" · {jax.process_count()} processes" if jax.process_count() > 1 else ""),
    )
    values = "points" if spec.continuous else f"{spec.num_levels} levels"
    say(
        "data",
        f"{experiment.name} · {'x'.join(map(str, spec.shape))} · {values} · "
        f"batch {experiment.data.batch_size}",
    )
    if line := idle_devices(experiment):
        say("devices", line)
    if summary := experiment.data.source.summary():
        say("", summary)


class SayState(Callback):
    """Says how large the state is, when it is known that all fits, and before the first step."""

    def __init__(self, spec: DataSpec):
        self.spec = spec

    def on_start(self, experiment: Experiment, folder: Path, step: int) -> None:
        mesh = mesh_of(experiment, experiment.sharding.data)
        size = state_size(abstract_state(experiment.model, self.spec), mesh)
        where = f" · {spoken(size.device_bytes)} on each of {mesh.num_devices} devices"
        say(
            "state",
            f"{size.num_params:,} parameters · {spoken(size.num_bytes)} with optimizer and "
            f"averages{where if mesh.num_devices > 1 else ''}",
        )


def say_how_it_ended(experiment: Experiment, folder: Path, result: TrainResult) -> None:
    """Parameters, steps, and whether it was resumed or stopped."""
    # A float where there are scalars.
    num_params = int(parameter_overview.count_parameters(result.state.params))
    step = int(result.state.step)
    if result.resumed_at == step:
        note = "trained already: a larger --training.num-steps goes on"
    elif result.signum is not None:
        note = f"saved at step {step:,} · the same command resumes"
    elif result.stopped_early:
        note = "stopped early: no better validation figure"
    else:
        note = f"resumed at step {result.resumed_at:,}" if result.resumed_at else "trained"
    say("run", f"{folder} · {num_params:,} parameters · step {step:,} · {note}")


def idle_devices(experiment: Experiment) -> str | None:
    """What is said where a batch leaves devices without work that nobody asked to leave so."""
    size, count = experiment.data.batch_size, len(jax.devices())
    used = DataMesh(size, experiment.sharding.data).num_devices
    if used == count or experiment.sharding.data is not None:
        return None
    nearest = [n for n in (size // count * count, -(-size // count) * count) if n]
    sizes = " or ".join(map(str, nearest))
    return (
        f"{used} of {count} share each batch, because {size} does not divide by {count}: "
        f"--data.batch-size {sizes} uses all"
    )


def next_commands(run: Run) -> str:
    """What to try next: what the family can do best, and how it is judged."""
    folder = shlex.quote(str(run.folder))
    typed = [f"gm-jax {command} {folder}" for command in _looks(run)[:2]]
    if classifier := classifier_beside(run):
        reader = shlex.quote(str(classifier))
        typed.append(f"gm-jax evaluate {folder} --classifier {reader}")
    elif len(typed) < 2:
        typed.append(f"gm-jax evaluate {folder}")
    return "   ".join([*typed, "gm-jax list"])


def _looks(run: Run) -> list[str]:
    """The commands that show what a family does, those first that few others can do."""
    abilities = {
        "forecast": ("forecast",),
        "sample": ("sample",),
        "inpaint": ("inpaint",),
        "reconstruct": ("reconstruct",),
        "interpolate": ("encode", "draw_latents"),
    }
    return [
        command
        for command, needed in abilities.items()
        if any(can(run.model, run.spec, ability) for ability in needed)
        and (command == "sample" or not run.spec.continuous)
    ]


def classifier_beside(run: Run) -> Path | None:
    """The folder of a run that reads the labels of such images, beside that of this one."""
    folder = run.folder.parent / "classifier"
    if not can(run.model, run.spec, "sample") or run.spec.num_classes is None:
        return None
    try:
        classifier, spec = RunFolder(folder).load()
        check_reader(classifier.model, spec, run.spec)
    except UserError:  # none, or of other images
        return None
    return folder if RunFolder(folder).has_checkpoint() else None


def record_figures(run: Run, phase: str, figures: dict[str, Figure]) -> None:
    """Adds the figures to metrics.jsonl and to TensorBoard."""
    values = {name: f.value for name, f in figures.items()}
    with Records(run.folder) as records:
        records.write_split(run.step, phase, figures)
    # The step may be that of the best checkpoint: what was trained after it stays in sight.
    with listening([TensorBoard(purge=False)], run.experiment, run.folder, run.step) as listener:
        listener.on_figures(run.step, phase, values)


def draw_curves(folder: Path) -> Path:
    """Draws loss and figures against steps; returns the picture's path."""
    out = folder / "curves.png"
    plot_curves([RunFolder(folder).metrics], out)
    return out
