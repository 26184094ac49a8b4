"""gm-jax sample."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.cli.ways import changes, parsed_for_run, spoken
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
    """Folder of the run, or a file of weights that gm-jax export wrote."""
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
    out: str | None = None
    """A .png grid, or .npz with the levels (default: samples/seed_N.png in the run, with what else
    was asked for in its name). Of points also .csv or .npy. Or a folder, such as images/, for any
    number of files; the same command goes on with a folder where it stopped."""
    format: Literal["png", "npz"] | None = None
    """What the files of a folder are: a .png for each image, or .npz shards."""

    sampling: tyro.conf.Suppress[Any] = None

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> Command:
        """sample RUN [options]: how this very run draws are options too.

        Raises:
          UserError: for a folder that holds no run, or options that do not fit it.
        """
        return parsed_for_run(cls, name, argv) or super().parsed(name, argv)

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
        if self._asks_for_folder():
            return self._fill(run, label, other)
        out = None if self.out is None else Path(self.out)
        if out is None:
            asked_for = self.asked_for("num", "means", "label") | other | self.asked_for("step")
            folder = self.run.parent if self.run.is_file() else RunFolder(self.run).samples
            out = folder / name_of(f"seed_{self.seed}", asked_for, run.step)
        else:
            endings = (".png", ".npz", *((".csv", ".npy") if run.spec.continuous else ()))
            if out.suffix not in endings:
                raise UserError(
                    f"--out {out}: the file must end in {' or '.join(endings)}, a folder in /"
                )
        check_out(out)
        if self.means:
            save_images(out, unit_to_pixels(run.sample_means(self.num, self.seed, **other)), 256)
        else:
            samples = run.sample(self.num, self.seed, label, show_progress=True, **other)
            save(out, samples, run, label)
        kind = "points" if run.spec.continuous else "images"
        say("samples", f"{out} · {self.num} {kind} · seed {self.seed}{spoken(other)}")
        return 0

    def _asks_for_folder(self) -> bool:
        """Whether the samples go to a folder, as files of theirs.

        Raises:
          UserError: a format, and no folder.
        """
        if self.out is None:
            if self.format is not None:
                raise UserError(f"--format {self.format} is of a folder: give --out FOLDER")
            return False
        is_folder = self.out.endswith("/") or Path(self.out).is_dir()
        if self.format is not None and not is_folder and Path(self.out).suffix in (".png", ".npz"):
            raise UserError(f"--out {self.out} is one file: leave --format out, or give a folder")
        return is_folder or self.format is not None

    def _fill(self, run: "Run", label: int | None, other: dict[str, Any]) -> int:
        """Draws into a folder, or goes on with it."""
        from gm_jax.cli.output import check_out, naming

        if self.means:
            raise UserError("--means is of a picture: a folder holds samples")
        folder = Path(str(self.out))
        check_out(folder / "samples.json")
        with naming(folder):
            drawn = run.sample_to_folder(
                folder, self.num, self.seed, label, kind=self.format, show_progress=True, **other
            )
        before = f" · {self.num - drawn:,} were there" if drawn < self.num else ""
        say("samples", f"{folder} · {self.num:,} · seed {self.seed}{spoken(other)}{before}")
        return 0


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
