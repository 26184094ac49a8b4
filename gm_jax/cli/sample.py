"""gm-jax sample."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from gm_jax.run import Run


@dataclasses.dataclass(frozen=True)
class Sample(Command):
    """Draw images from a run. Example: gm-jax sample runs/digits/vae --num 64 --seed 1"""

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
    truncation: float | None = None
    """Keeps latents within this distance of 0, e.g. 0.7: more typical images, less diverse."""
    sampler: str | None = None
    """How to draw, for a model with several ways, e.g. ddim (default: as it was trained with)."""
    sampler_steps: int | None = None
    """Calls of the network for an image, of a diffusion model: fewer is faster."""
    eta: float | None = None
    """Noise of the sampler ddim: 0 is none, 1 that of ancestral sampling."""
    guidance: float | None = None
    """By the label: 1 is none, 2 makes images more typical of it and less diverse."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png grid, or .npz with the levels (default: samples/seed_N.png in the run)."""

    def act(self) -> int:
        import numpy as np

        from gm_jax.cli.asked import check_label, opened
        from gm_jax.cli.output import check_out
        from gm_jax.training.folder import RunFolder
        from gm_jax.viz.grids import unit_to_pixels

        run = opened(self.run, self.step)
        sampling = {
            "sampler": self.sampler,
            "sampler_steps": self.sampler_steps,
            "eta": self.eta,
            "guidance": self.guidance,
        }
        given = {name: value for name, value in sampling.items() if value is not None}
        options = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
        checked = {"--label": self.label, "--truncation": self.truncation, **options}
        for option, value in checked.items():
            if self.means and value is not None:
                raise UserError(f"{option} works without --means only: leave one of them out")
        labels = None
        if self.label is not None:
            labels = np.full((max(self.num, 0),), check_label(run, self.label))
        out = (
            RunFolder(self.run).samples / f"seed_{self.seed}.png" if self.out is None else self.out
        )
        check_out(out, ".png", ".npz")
        if self.means:
            save_images(out, unit_to_pixels(run.sample_means(self.num, self.seed)), 256)
        else:
            images = run.sample(self.num, self.seed, labels, self.truncation, **given)
            save(out, images, run, in_turn=labels is None)
        how = {} if self.truncation is None else {"truncation": f"{self.truncation:g}"}
        said = "".join(f" · {n.replace('_', ' ')} {value}" for n, value in (how | given).items())
        kind = "points" if run.spec.continuous else "images"
        say("samples", f"{out} · {self.num} {kind} · seed {self.seed}{said}")
        return 0


def save(out: Path, samples: "np.ndarray", run: "Run", in_turn: bool) -> None:
    """Samples of a run: images as a grid or as levels, points as a scatter picture or as values.

    Args:
      out: a .png or .npz file.
      samples: as `run.sample` gives them.
      run: what they are of.
      in_turn: whether the classes took turns, where there are any: each has a column then.
    """
    from gm_jax.training.pictures import class_columns

    if run.spec.continuous:
        return save_points(out, samples, run)
    columns = class_columns(run.model, run.spec) if in_turn else None
    return save_images(out, samples, run.spec.num_levels, columns)


def save_images(
    out: Path, images: "np.ndarray", num_levels: int, num_columns: int | None = None
) -> None:
    """A grid as PNG, or the levels as npz, by the file's ending; whole or not at all."""
    from gm_jax.cli.output import save_arrays, save_grid
    from gm_jax.viz.grids import image_grid

    if out.suffix == ".npz":
        return save_arrays(out, image=images, num_levels=num_levels)
    return save_grid(out, image_grid(images, num_levels, num_columns))


def save_points(out: Path, points: "np.ndarray", run: "Run") -> None:
    """A scatter picture as PNG over points of the test split, or the values as npz."""
    from gm_jax.cli.output import save_arrays, save_grid
    from gm_jax.training.pictures import NUM_POINTS, points_picture

    if out.suffix == ".npz":
        return save_arrays(out, image=points)
    return save_grid(out, points_picture(points, run.batch(NUM_POINTS)["image"]))
