"""gm-jax inpaint."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.errors import UserError

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True)
class Inpaint(Command):
    """Keep one half of images, and draw the other half several times.

    Autoregressive families draw in raster order: what is known below or to the right of a value has
    no part in it, so that --known top shows most. Example: gm-jax inpaint runs/digits/arm_cnn1d
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int = 10
    """How many images of the split."""
    completions: int = 4
    """Draws of each image."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    known: Literal["top", "bottom", "left", "right"] = "top"
    """The half that is kept."""
    seed: int = 0
    """Same seed, same completions."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    out: Path | None = None
    """A .png file (default: samples/inpainting_top.png in the run, with what was asked for in its
    name)."""

    def act(self) -> int:
        """A row of originals, a row of what is kept of them, and rows of completions."""
        import numpy as np

        from gm_jax.cli.asked import check_images, opened
        from gm_jax.cli.output import check_out, name_of, save_grid
        from gm_jax.training.folder import RunFolder
        from gm_jax.viz.grids import side_by_side, to_pixels
        from gm_jax.viz.style import label_grid

        run = opened(self.run, self.step, self.experiment)
        out = self.out
        if out is None:
            asked_for = self.asked_for("split", "num", "completions", "seed", "step")
            name = name_of(f"inpainting_{self.known}", asked_for, run.step)
            out = RunFolder(self.run).samples / name
        check_out(out, ".png")
        check_images(run)
        if self.completions < 1:
            raise UserError(f"--completions must be at least 1, not {self.completions}")
        batch = run.batch(self.num, self.split)
        originals = batch["image"]
        mask = np.broadcast_to(half(self.known, *run.spec.shape[:2]), originals.shape[:-1])
        labels = batch["label"] if run.model.conditional else None
        times = (self.completions, *(1,) * (originals.ndim - 1))
        drawn = run.inpaint(
            np.tile(originals, times),
            np.tile(mask, times[:-1]),
            self.seed,
            None if labels is None else np.tile(labels, self.completions),
        )
        pixels = to_pixels(originals, run.spec.num_levels)
        kept = np.where(mask[..., None], pixels, np.uint8(128))
        completed = np.split(to_pixels(drawn, run.spec.num_levels), self.completions)
        names = ["original", "known", *(f"drawn {i}" for i in range(1, self.completions + 1))]
        save_grid(out, label_grid(side_by_side([pixels, kept, *completed], 256), names))
        say(
            "pictures",
            f"{out} · {len(originals)} images, the {self.known} half of each, "
            f"{self.completions} completions",
        )
        return 0


def half(known: str, height: int, width: int) -> "np.ndarray":
    """Which pixels lie in the top, bottom, left or right half, bool [1, H, W]."""
    import numpy as np

    row, column = np.mgrid[:height, :width]
    top, left = row < height / 2, column < width / 2
    return {"top": top, "bottom": ~top, "left": left, "right": ~left}[known][None]
