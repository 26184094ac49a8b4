"""gm-jax interpolate."""

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
class Interpolate(Command):
    """Draw lines of images between pairs of images, or of latents.

    With --out lines.gif the lines move. Example: gm-jax interpolate runs/digits/vae --lines 8
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int | None = None
    """Images a line (default: 10 in a picture, 30 in an animation)."""
    lines: int = 8
    """How many pairs."""
    split: str | None = None
    """Between images of train, valid, test (the default), or a split expression."""
    seed: int | None = None
    """Between latents drawn with this seed (default for a family without codes of images: 0)."""
    label: int | None = None
    """Class of the images between latents, for a model that was trained with labels."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    out: Path | None = None
    """A .png, .gif or .mp4 file; .mp4 needs ffmpeg (default: samples/interpolation.png,
    with what was asked for in its name)."""

    def act(self) -> int:
        """Lines of images between pairs, as rows of a picture or as cells of an animation."""
        from gm_jax.cli.asked import check_images, opened
        from gm_jax.cli.output import check_out, name_of, naming, save_grid
        from gm_jax.training.folder import RunFolder
        from gm_jax.viz.animation import ENDINGS, check_animation, save_animation, there_and_back
        from gm_jax.viz.grids import image_grid
        from gm_jax.viz.style import label_grid

        run = opened(self.run, self.step, self.experiment)
        out = self.out
        if out is None:
            asked_for = self.asked_for("split", "seed", "label", "lines", "num", "step")
            out = RunFolder(self.run).samples / name_of("interpolation", asked_for, run.step)
        check_out(out, ".png", *ENDINGS)
        check_animation(out)
        check_images(run)
        if self.lines < 1:
            raise UserError(f"--lines must be at least 1, not {self.lines}")
        moving = out.suffix != ".png"
        num = (30 if moving else 10) if self.num is None else self.num
        between, ends = images_between(run, num, self.lines, self.split, self.seed, self.label)
        levels = run.spec.num_levels
        if moving:
            frames = [image_grid(between[:, i], levels) for i in range(num)]
            with naming(out):
                save_animation(out, *there_and_back(frames, seconds=0.1))
        else:
            flat = between.reshape(-1, *between.shape[2:])
            names = ["from", *[""] * (num - 2), "to"]
            save_grid(out, label_grid(image_grid(flat, levels, num_columns=num), columns=names))
        say("pictures", f"{out} · {self.lines} lines of {num} images between {ends}")
        return 0


def images_between(
    run: "Run", num: int, lines: int, split: str | None, seed: int | None, label: int | None
) -> "tuple[np.ndarray, str]":
    """Lines of images, between images of a split or between draws from the prior.

    The prior serves families that have latents but no codes of images, and those that have both
    where a seed or a label is given.

    Returns:
      uint8 levels [lines, num, H, W, C], and what they lie between.

    Raises:
      UserError: for a family that can do neither, options that do not fit it, too few images.
    """
    import numpy as np

    from gm_jax.cli.asked import check_label
    from gm_jax.model import can

    family = type(run.model).__name__
    encodes, has_latents = (can(run.model, run.spec, a) for a in ("encode", "draw_latents"))
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
