"""gm-jax sample."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.parsing import parse
from gm_jax.cli.report import say
from gm_jax.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from gm_jax.run import Run


@dataclasses.dataclass(frozen=True)
class Sample(Command):
    """Draw images from a run. Example: gm-jax sample runs/digits/vae --num 64 --seed 1

    gm-jax sample RUN --help lists the ways in which that run can draw, too.
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int = 64
    """How many images."""
    seed: int = 0
    """Same seed, same images."""
    means: bool = False
    """Show the mean image of each draw instead of a sample of it."""
    label: int | None = None
    """Class to draw from, for a model that was trained with labels."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    out: Path | None = None
    """A .png grid, or .npz with the levels (default: samples/seed_N.png in the run, with what else
    was asked for in its name). Of points also .csv or .npy."""

    sampling: tyro.conf.Suppress[Any] = None

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> Command:
        """sample RUN [options]: how this very run draws are options too.

        Raises:
          UserError: for a folder that holds no run, or options that do not fit it.
        """
        typed = find_run(argv)
        if typed is None:
            return super().parsed(name, argv)
        folder = Path(typed)
        from gm_jax.runtime import set_up

        set_up()
        from gm_jax.experiment_code import read_code
        from gm_jax.experiment_file import resolve
        from gm_jax.model import sampling_of
        from gm_jax.training.folder import RunFolder

        given = find_experiment(argv)
        code = None if given is None else read_code(*resolve(given))[0]
        config = sampling_of(RunFolder(folder).load(code)[0].model)
        ways = [] if config is None else dataclasses.fields(config)
        fields = [f for f in dataclasses.fields(cls) if f.name not in ("run", "sampling")]
        kind: Any = Annotated[Any, tyro.conf.Suppress]
        if config is not None:
            kind = Annotated[type(config), tyro.conf.arg(name="")]

        @dataclasses.dataclass(frozen=True)
        class SampleRun(cls):  # type: ignore[misc, valid-type]
            __doc__ = cls.__doc__
            run: tyro.conf.Suppress[Path] = folder
            sampling: kind = config

        rest = list(argv)
        rest.remove(typed)
        options = {f.name.replace("_", "-"): f.default for f in (*fields, *ways)}
        return parse(SampleRun, rest, f"gm-jax {name} {folder}", options)

    def act(self) -> int:
        """Draws images to a PNG grid or an .npz of levels; points to a scatter PNG or an .npz."""
        from gm_jax.cli.asked import check_label, opened
        from gm_jax.cli.output import check_out, name_of
        from gm_jax.model import sampling_of
        from gm_jax.training.folder import RunFolder
        from gm_jax.viz.grids import unit_to_pixels

        run = opened(self.run, self.step, self.experiment)
        if self.means and self.label is not None:
            raise UserError("--label works without --means only: leave one of them out")
        label = None if self.label is None else check_label(run, self.label)
        other = changes(sampling_of(run.model), self.sampling)
        out = self.out
        if out is None:
            asked_for = self.asked_for("num", "means", "label") | other | self.asked_for("step")
            out = RunFolder(self.run).samples / name_of(f"seed_{self.seed}", asked_for, run.step)
        check_out(out, ".png", ".npz", *((".csv", ".npy") if run.spec.continuous else ()))
        if self.means:
            save_images(out, unit_to_pixels(run.sample_means(self.num, self.seed, **other)), 256)
        else:
            samples = run.sample(self.num, self.seed, label, show_progress=True, **other)
            save(out, samples, run, label)
        said = "".join(f" · {name.replace('_', ' ')} {spoken(v)}" for name, v in other.items())
        kind = "points" if run.spec.continuous else "images"
        say("samples", f"{out} · {self.num} {kind} · seed {self.seed}{said}")
        return 0


def find_run(argv: Sequence[str]) -> str | None:
    """The folder of the run among what was typed; None where there is none to be seen.

    Raises:
      UserError: what stands first is no option, and no run.
    """
    named = [word for word in argv if not word.startswith("-")]
    if argv and not argv[0].startswith("-"):
        if not Path(named[0]).is_dir():
            raise UserError(f"there is no run {named[0]} (gm-jax train makes one)")
        return named[0]
    return next((word for word in named if (Path(word) / "experiment.json").is_file()), None)


def find_experiment(argv: Sequence[str]) -> str | None:
    """What was typed behind --experiment, which has to be known before all options are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--experiment")
    try:
        given: str | None = parser.parse_known_args(argv)[0].experiment
    except argparse.ArgumentError:  # nothing behind it: said where all options are parsed
        return None
    return given


def changes(own: Any, wanted: Any) -> dict[str, Any]:
    """The fields in which the way of drawing that is wanted is not the run's own."""
    names = [] if own is None else [field.name for field in dataclasses.fields(own)]
    pairs = {name: (getattr(own, name), getattr(wanted, name)) for name in names}
    return {name: new for name, (old, new) in pairs.items() if new != old}


def spoken(value: Any) -> str:
    """A field's value in a line."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def save(out: Path, samples: "np.ndarray", run: "Run", label: int | None) -> None:
    """Samples of a run: images as a grid or as levels, points as a scatter picture or as values.

    Args:
      out: a .png or .npz file; of points also .csv or .npy.
      samples: as `run.sample` gives them.
      run: what they are of.
      label: that all were drawn by; None: the classes took turns, where there are any, and each has
        a column.
    """
    from gm_jax.training.pictures import class_columns

    if run.spec.continuous:
        return save_points(out, samples, run, label)
    columns = class_columns(run.model, run.spec) if label is None else None
    return save_images(out, samples, run.spec.num_levels, columns)


def save_images(
    out: Path, images: "np.ndarray", num_levels: int, num_columns: int | None = None
) -> None:
    """A grid as PNG, or the levels as npz, by the file's ending; whole or not at all."""
    from gm_jax.cli.output import save_arrays, save_grid
    from gm_jax.training.pictures import class_grid

    if out.suffix == ".npz":
        return save_arrays(out, image=images, num_levels=num_levels)
    return save_grid(out, class_grid(images, num_levels, num_columns))


def save_points(out: Path, points: "np.ndarray", run: "Run", label: int | None) -> None:
    """A scatter picture as PNG over points of the test split, or the values as npz, npy or csv."""
    from gm_jax.cli.output import save_arrays, save_grid, save_rows, save_table
    from gm_jax.training.pictures import NUM_POINTS, points_picture

    match out.suffix:
        case ".npz":
            return save_arrays(out, image=points)
        case ".npy":
            return save_rows(out, points.reshape(len(points), -1))
        case ".csv":
            return save_table(out, *table_of(points, run, label))
        case _:
            real = run.batch(NUM_POINTS)["image"]
            return save_grid(out, points_picture(points, real, run.spec))


def table_of(
    points: "np.ndarray", run: "Run", label: int | None
) -> tuple[list[str], list[list[str]]]:
    """Points as a table: names of its columns, and its rows; with labels, where they have any."""
    spec = run.spec
    names = [f"x{i}" for i in range(spec.num_dims)]
    if spec.columns is not None:
        names = list(spec.columns.names)
    # As many digits as tell any two float32 apart.
    rows = [[f"{value:.9g}" for value in row] for row in points.reshape(len(points), -1).tolist()]
    if not run.model.conditional:
        return names, rows
    title, classes = "label", [str(i) for i in range(spec.num_classes or 1)]
    if spec.columns is not None and spec.columns.classes:
        title, classes = spec.columns.label or title, list(spec.columns.classes)
    drawn = (i % len(classes) if label is None else label for i in range(len(rows)))
    return [*names, title], [[*row, classes[i]] for row, i in zip(rows, drawn, strict=True)]
