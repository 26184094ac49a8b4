"""What each command does. Imported only when one runs: jax comes with it."""

import contextlib
import dataclasses
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from clu import parameter_overview

from gm_jax.data.images.single import read_images
from gm_jax.errors import UserError
from gm_jax.evaluation.forecasts import evaluate_lead_times, plot_lead_times
from gm_jax.evaluation.samples import read_samples
from gm_jax.evaluation.split import Figure
from gm_jax.experiment import Experiment
from gm_jax.model import Encodes, Forecasts, HasLatents, Reconstructs, Samples
from gm_jax.run import Run, default_folder, finished_run, open_run
from gm_jax.training.folder import RunFolder
from gm_jax.training.loop import TrainResult, train
from gm_jax.training.pictures import NUM_POINTS, class_columns, points_picture
from gm_jax.training.records import Records
from gm_jax.viz.animation import (
    ENDINGS,
    animate_pictures,
    check_animation,
    save_animation,
    there_and_back,
)
from gm_jax.viz.curves import plot_curves
from gm_jax.viz.grids import image_grid, save_png, side_by_side, to_pixels, unit_to_pixels
from gm_jax.whole_file import replacing

# In the order they are shown in; figures not named here come last.
LABELS = {
    "bits_per_dim": "bits/dim",
    "neg_log_prob_bits_per_dim": "bits/dim of −log p",
    "neg_elbo": "−ELBO (nats)",
    "neg_log_prob": "−log p (nats)",
    "reconstruction": "reconstruction (nats)",
    "kl": "KL (nats)",
    "psnr": "PSNR (dB)",
}


def say(topic: str, text: str) -> None:
    """One line of a command's report."""
    print(f"{topic:<9} {text}", flush=True)


def show_figures(topic: str, figures: dict[str, Figure]) -> None:
    """One line a figure: value, standard error, kind and number of examples."""
    order = [*LABELS, *figures]
    for name, figure in sorted(figures.items(), key=lambda item: order.index(item[0])):
        label = LABELS.get(name, name)
        say(
            topic,
            f"{label:<22} {figure.value:10.4f} ± {figure.stderr:.4f}  "
            f"({figure.kind}, {figure.n:,} examples)",
        )
        topic = ""


def run_training(experiment: Experiment, folder: Path | None) -> int:
    """Trains (or resumes), evaluates, paints; returns the exit code."""
    folder = default_folder(experiment) if folder is None else folder
    devices = jax.devices()
    say(
        "gm-jax",
        f"Python {platform.python_version()} · jax {jax.__version__} · "
        f"{len(devices)} {devices[0].platform} ({os.cpu_count()} cores)",
    )
    spec = experiment.data.spec
    values = "points" if spec.continuous else f"{spec.num_levels} levels"
    say(
        "data",
        f"{experiment.name} · {'x'.join(map(str, spec.shape))} · {values} · "
        f"batch {experiment.data.batch_size}",
    )
    if summary := experiment.data.source.summary():
        say("", summary)
    check_test_split(experiment)
    result = train(experiment, folder)
    say_how_it_ended(experiment, folder, result)
    if result.signum is not None:
        return 128 + result.signum
    run = finished_run(experiment, folder, result)
    figures = run.evaluate("test", show_progress=True)
    show_figures("test", figures)
    record_figures(run, "test", figures)
    pictures = [*run.paint("final"), draw_curves(folder), *draw_progress(folder)]
    names = (str(picture.relative_to(folder)) for picture in pictures)
    say("pictures", f"in {folder}: {' · '.join(names)}")
    say("next", next_commands(run))
    return 0


def check_test_split(experiment: Experiment) -> None:
    """Looks, before hours of training, whether there will be anything to evaluate on.

    Raises:
      UserError: for a split that is not there, or has no examples.
    """
    if not len(experiment.data.source.open(experiment.data.test)):
        raise UserError(f"the split 'test' ({experiment.data.test}) has no examples")


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


def next_commands(run: Run) -> str:
    """What to try next."""
    abilities: dict[str, Any] = {
        "sample": Samples,
        "reconstruct": Reconstructs,
        "interpolate": (Encodes, HasLatents),
        "forecast": Forecasts,
        "evaluate": Forecasts,
    }
    commands = [
        f"gm-jax {c} {run.folder}"
        for c, a in abilities.items()
        if isinstance(run.model, a) and (c == "sample" or not run.spec.continuous)
    ]
    return "   ".join([*commands[:2], "gm-jax list"])


def record_figures(run: Run, phase: str, figures: dict[str, Figure]) -> None:
    """Adds the figures to metrics.jsonl."""
    with Records(run.folder) as records:
        records.write(run.step, phase, {name: f.value for name, f in figures.items()})


def draw_progress(folder: Path) -> list[Path]:
    """Animates the pictures made during training, where there are two or more."""
    pictures = progress_pictures(folder)
    if len(pictures) < 2:
        return []
    animate_pictures(pictures, folder / "progress.gif")
    return [folder / "progress.gif"]


def progress_pictures(folder: Path) -> list[Path]:
    """The pictures made during training: of samples, or else reconstructions, or forecasts."""
    made = list(RunFolder(folder).samples.glob("step_*.png"))
    for ending in ("", "_reconstructions", "_forecasts"):
        matches = ((re.fullmatch(rf"step_(\d+){ending}\.png", path.name), path) for path in made)
        steps = {int(match[1]): path for match, path in matches if match}
        if steps:
            return [steps[step] for step in sorted(steps)]
    return []


def run_animation(folder: Path, out: Path | None, seconds: float) -> None:
    """The pictures made during training, one after the other; they may still grow in number."""
    RunFolder(folder).load()  # says so where there is no run
    out = folder / "progress.gif" if out is None else out
    check_out(out, *ENDINGS)
    check_animation(out)
    if not 0.02 <= seconds <= 100:  # what players and the format allow
        raise UserError(f"--seconds must be 0.02 to 100, not {seconds:g}")
    pictures = progress_pictures(folder)
    if len(pictures) < 2:
        raise UserError(
            f"an animation needs 2 pictures made during training, and {folder} has "
            f"{len(pictures) or 'none'}: train with --training.sample-every N"
        )
    with naming(out):
        animate_pictures(pictures, out, seconds)
    say("pictures", f"{out} · {len(pictures)} pictures, {seconds:g} s each")


def draw_curves(folder: Path) -> Path:
    """Draws loss and figures against steps; returns the picture's path."""
    out = folder / "curves.png"
    plot_curves([RunFolder(folder).metrics], out)
    return out


def run_evaluation(
    folder: Path,
    split: str,
    step: str | None,
    num_samples: int | None,
    classifier: Path | None,
    num_images: int,
    as_json: bool,
) -> None:
    """Figures of a run over a split, and of its samples where there is a classifier."""
    run = open_run(folder, parse_step(step))
    if num_samples is not None and not 0 <= num_samples < 2**31:
        raise UserError(f"--num-samples must be 0 to {2**31 - 1}, not {num_samples}")
    read = {} if classifier is None else read_samples(run, open_run(classifier), num_images)
    figures = run.evaluate(split, num_samples, show_progress=not as_json)
    forecasts = isinstance(run.model, Forecasts) and run.spec.is_sequence
    if as_json:
        import json

        plain: dict[str, Any] = {n: dataclasses.asdict(f) for n, f in (figures | read).items()}
        if forecasts:
            plain["lead_times"] = evaluate_lead_times(run, split).plain()
        print(json.dumps({"run": str(folder), "step": run.step, "split": split, **plain}))
        return
    say("run", f"{folder} · step {run.step:,}")
    show_figures(split, figures)
    if read:
        show_figures("samples", read)
    if forecasts:
        show_lead_times(run, split)


def show_lead_times(run: Run, split: str) -> None:
    """The table of figures by lead time, beside those of the baselines, and its plot."""
    result = evaluate_lead_times(run, split)
    for line in result.table():
        say("", line)
    out = run.folder / f"lead_times_{re.sub(r'[^A-Za-z0-9]+', '_', split).strip('_')}.png"
    with naming(out):
        plot_lead_times(result, out)
    say("pictures", str(out))


def run_sampling(
    folder: Path,
    num: int,
    seed: int,
    means: bool,
    label: int | None,
    truncation: float | None,
    sampling: dict[str, Any],
    step: str | None,
    out: Path | None,
) -> None:
    """Draws images to a PNG grid or an .npz of levels; points to a scatter PNG or an .npz.

    `sampling` are fields of the model to be replaced before drawing; those that are None stay.
    """
    run = open_run(folder, parse_step(step))
    given = {name: value for name, value in sampling.items() if value is not None}
    options = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    for option, value in {"--label": label, "--truncation": truncation, **options}.items():
        if means and value is not None:
            raise UserError(f"{option} works without --means only: leave one of them out")
    condition = None if label is None else np.full((max(num, 0),), check_label(run, label))
    out = RunFolder(folder).samples / f"seed_{seed}.png" if out is None else out
    check_out(out, ".png", ".npz")
    if means:
        save_images(out, unit_to_pixels(run.sample_means(num, seed)), 256)
    else:
        images = run.sample(num, seed, condition, truncation, **given)
        if run.spec.continuous:
            save_points(out, images, run)
        else:
            columns = class_columns(run.model, run.spec) if label is None else None
            save_images(out, images, run.spec.num_levels, columns)
    how = {**({} if truncation is None else {"truncation": f"{truncation:g}"}), **given}
    said = "".join(f" · {name.replace('_', ' ')} {value}" for name, value in how.items())
    kind = "points" if run.spec.continuous else "images"
    say("samples", f"{out} · {num} {kind} · seed {seed}{said}")


def check_label(run: Run, label: int) -> int:
    """A label the data have.

    Raises:
      UserError: for a label out of range, or data without labels.
    """
    num_classes = run.spec.num_classes
    if num_classes is None:
        raise UserError(f"--label {label}: the data of {run.folder} have no labels")
    if not 0 <= label < num_classes:
        raise UserError(f"--label must be 0 to {num_classes - 1}, not {label}")
    return label


def run_reconstruction(
    folder: Path, images: tuple[Path, ...], num: int, split: str, step: str | None, out: Path | None
) -> None:
    """Originals above their reconstructions."""
    run = open_run(folder, parse_step(step))
    out = RunFolder(folder).samples / "reconstructions.png" if out is None else out
    check_out(out, ".png")
    check_images(run)
    batch: Any = read_images(images, run.spec) if images else run.batch(num, split)
    originals = batch["image"] if isinstance(batch, dict) else batch
    grid = side_by_side([originals, run.reconstruct(batch)], run.spec.num_levels)
    save_grid(out, grid)
    say("pictures", f"{out} · {len(originals)} images above their reconstructions")


def run_inpainting(
    folder: Path,
    num: int,
    completions: int,
    split: str,
    known: str,
    seed: int,
    step: str | None,
    out: Path | None,
) -> None:
    """A row of originals, a row of what is kept of them, and rows of completions."""
    run = open_run(folder, parse_step(step))
    out = RunFolder(folder).samples / f"inpainting_{known}.png" if out is None else out
    check_out(out, ".png")
    check_images(run)
    if completions < 1:
        raise UserError(f"--completions must be at least 1, not {completions}")
    batch = run.batch(num, split)
    originals = batch["image"]
    mask = np.broadcast_to(half(known, *run.spec.shape[:2]), originals.shape[:-1])  # [N, H, W]
    labels = batch["label"] if getattr(run.model, "conditional", False) else None
    times = (completions, *(1,) * (originals.ndim - 1))
    drawn = run.inpaint(
        np.tile(originals, times),
        np.tile(mask, times[:-1]),
        seed,
        None if labels is None else np.tile(labels, completions),
    )
    pixels = to_pixels(originals, run.spec.num_levels)
    kept = np.where(mask[..., None], pixels, np.uint8(128))
    rows = [pixels, kept, *np.split(to_pixels(drawn, run.spec.num_levels), completions)]
    save_grid(out, side_by_side(rows, 256))
    say(
        "pictures",
        f"{out} · {len(originals)} images, the {known} half of each, {completions} completions",
    )


def half(known: str, height: int, width: int) -> np.ndarray:
    """Which pixels lie in the top, bottom, left or right half, bool [1, H, W]."""
    row, column = np.mgrid[:height, :width]
    top, left = row < height / 2, column < width / 2
    return {"top": top, "bottom": ~top, "left": left, "right": ~left}[known][None]


def run_interpolation(
    folder: Path,
    num: int | None,
    lines: int,
    split: str | None,
    seed: int | None,
    label: int | None,
    step: str | None,
    out: Path | None,
) -> None:
    """Lines of images between pairs, as rows of a picture or as cells of an animation."""
    run = open_run(folder, parse_step(step))
    out = RunFolder(folder).samples / "interpolation.png" if out is None else out
    check_out(out, ".png", *ENDINGS)
    check_animation(out)
    check_images(run)
    if lines < 1:
        raise UserError(f"--lines must be at least 1, not {lines}")
    moving = out.suffix != ".png"
    num = (30 if moving else 10) if num is None else num
    between, ends = images_between(run, num, lines, split, seed, label)
    levels = run.spec.num_levels
    if moving:
        frames = [image_grid(between[:, i], levels) for i in range(num)]
        with naming(out):
            save_animation(out, *there_and_back(frames, seconds=0.1))
    else:
        flat = between.reshape(-1, *between.shape[2:])
        save_grid(out, image_grid(flat, levels, num_columns=num))
    say("pictures", f"{out} · {lines} lines of {num} images between {ends}")


def images_between(
    run: Run, num: int, lines: int, split: str | None, seed: int | None, label: int | None
) -> tuple[np.ndarray, str]:
    """Lines of images, between images of a split or between draws from the prior.

    The prior serves families that have latents but no codes of images, and those that have both
    where a seed or a label is given.

    Returns:
      uint8 levels [lines, num, H, W, C], and what they lie between.

    Raises:
      UserError: for a family that can do neither, options that do not fit it, too few images.
    """
    family = type(run.model).__name__
    encodes, has_latents = isinstance(run.model, Encodes), isinstance(run.model, HasLatents)
    if not (encodes or has_latents):
        raise UserError(f"{family} can't interpolate: the family has no such part")
    if has_latents and (not encodes or seed is not None or label is not None):
        if split is not None:
            raise UserError(f"--split {split}: {family} goes between latents here: leave it out")
        condition = None if label is None else np.full((lines,), check_label(run, label))
        seed = 0 if seed is None else seed
        return run.interpolate_latents(lines, num, seed, condition), f"latents · seed {seed}"
    for option, value in {"--seed": seed, "--label": label}.items():
        if value is not None:
            raise UserError(
                f"{option} {value}: {family} goes between images of a split: leave it out"
            )
    split = "test" if split is None else split
    images = run.batch(2 * lines, split)["image"]
    if len(images) < 2 * lines:
        raise UserError(f"--lines {lines} needs {2 * lines} images; {split} has {len(images)}")
    return run.interpolate(images[0::2], images[1::2], num), f"images of {split}"


def check_images(run: Run) -> None:
    """Looks whether a run is one of images, as grids need.

    Raises:
      UserError: where it was trained on points.
    """
    if run.spec.continuous:
        raise UserError(f"{run.folder} was trained on points: only images can be laid in rows")


def check_out(out: Path, *endings: str) -> None:
    """Looks, before anything is computed, whether a picture can be written there.

    Raises:
      UserError: for another ending, or a folder that can't be made or written to.
    """
    if out.suffix not in endings:
        raise UserError(f"--out {out}: the file must end in {' or '.join(endings)}")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: give a file in it")
    above = next(p for p in (out.parent, *out.absolute().parents) if p.exists())
    if not above.is_dir():
        raise UserError(f"--out {out}: {above} is a file, not a folder")
    if not os.access(above, os.W_OK):
        raise UserError(f"--out {out}: no permission to write in {above}, give another folder")


@contextlib.contextmanager
def naming(out: Path) -> Iterator[None]:
    """Makes the output's folder; a failure to write names the output, not a temporary file."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(out)) from error


def save_images(
    out: Path, images: np.ndarray, num_levels: int, num_columns: int | None = None
) -> None:
    """A grid as PNG, or the levels as npz, by the file's ending; whole or not at all."""
    if out.suffix != ".npz":
        return save_grid(out, image_grid(images, num_levels, num_columns))
    with naming(out), replacing(out) as aside:
        np.savez_compressed(aside, image=images, num_levels=num_levels)


def save_points(out: Path, points: np.ndarray, run: Run) -> None:
    """A scatter picture as PNG over points of the test split, or the values as npz."""
    if out.suffix != ".npz":
        return save_grid(out, points_picture(points, run.batch(NUM_POINTS)["image"]))
    with naming(out), replacing(out) as aside:
        np.savez_compressed(aside, image=points)


def save_grid(out: Path, grid: np.ndarray) -> None:
    """Writes a PNG, making its folder; whole or not at all."""
    with naming(out):
        save_png(out, grid)


def parse_step(step: str | None) -> Any:
    """A step number, "latest", "best" or None.

    Raises:
      UserError: for anything else.
    """
    if step is None or step in ("latest", "best"):
        return step
    if not step.isdecimal():
        raise UserError(f'--step must be a number, "latest" or "best", not {step}')
    return int(step)
