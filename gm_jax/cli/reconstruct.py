"""gm-jax reconstruct."""

import dataclasses
from pathlib import Path
from typing import Any

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say


@dataclasses.dataclass(frozen=True)
class Reconstruct(Command):
    """Send images through a run's code and back.

    Example: gm-jax reconstruct runs/digits/vae --split valid --num 16
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    images: tuple[Path, ...] = ()
    """Image files of any size, treated as training treated its own (default: images of the
    split)."""
    num: int = 16
    """How many images of the split."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    out: Path | None = None
    """A .png file (default: samples/reconstructions.png in the run, with what was asked for in its
    name)."""

    def act(self) -> int:
        """Originals above their reconstructions."""
        from gm_jax.cli.asked import check_images, opened
        from gm_jax.cli.output import check_out, name_of, save_grid
        from gm_jax.data.images.single import read_images
        from gm_jax.training.folder import RunFolder
        from gm_jax.viz.grids import side_by_side
        from gm_jax.viz.style import label_grid

        run = opened(self.run, self.step, self.experiment)
        out = self.out
        if out is None:
            asked_for = self.asked_for(*(["step"] if self.images else ["split", "num", "step"]))
            if self.images:
                asked_for["of"] = "+".join(path.stem for path in self.images)[:100]
            out = RunFolder(self.run).samples / name_of("reconstructions", asked_for, run.step)
        check_out(out, ".png")
        check_images(run)
        batch: Any
        if self.images:
            batch, changed = read_images(self.images, run.experiment.data, run.spec)
            for topic, line in zip(["images", *[""] * len(changed)], changed, strict=False):
                say(topic, line)
        else:
            batch = run.batch(self.num, self.split)
        originals = batch["image"] if isinstance(batch, dict) else batch
        grid = side_by_side([originals, run.reconstruct(batch)], run.spec.num_levels)
        save_grid(out, label_grid(grid, ["original", "reconstruction"]))
        say("pictures", f"{out} · {len(originals)} images above their reconstructions")
        return 0
