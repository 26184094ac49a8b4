"""gm-jax animate."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Animate(Command):
    """Show how a run's pictures changed while it trained.

    Works at any time, also before the training has ended.
    Example: gm-jax animate runs/digits/vae --seconds 0.1
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    seconds: float = 0.3
    """How long each picture is shown (the last one five times as long)."""
    out: Path | None = None
    """A .gif or .mp4 file; .mp4 needs ffmpeg (default: progress.gif in the run)."""

    def act(self) -> int:
        """The pictures made during training, one after the other; they may still grow in number."""
        from gm_jax.cli.output import check_out, naming
        from gm_jax.training.folder import RunFolder
        from gm_jax.viz.animation import ENDINGS, animate_pictures, check_animation

        RunFolder(self.run).record()  # says so where there is no run
        out = self.run / "progress.gif" if self.out is None else self.out
        check_out(out, *ENDINGS)
        check_animation(out)
        if not 0.02 <= self.seconds <= 100:  # what players and the format allow
            raise UserError(f"--seconds must be 0.02 to 100, not {self.seconds:g}")
        pictures = progress_pictures(self.run)
        if len(pictures) < 2:
            raise UserError(
                f"an animation needs 2 pictures made during training, and {self.run} has "
                f"{len(pictures) or 'none'}: train with --training.sample-every N"
            )
        with naming(out):
            animate_pictures(pictures, out, self.seconds, captions(pictures))
        say("pictures", f"{out} · {len(pictures)} pictures, {self.seconds:g} s each")
        return 0


def draw_progress(folder: Path) -> list[Path]:
    """Animates the pictures made during training, where there are two or more."""
    from gm_jax.viz.animation import animate_pictures

    pictures = progress_pictures(folder)
    if len(pictures) < 2:
        return []
    animate_pictures(pictures, folder / "progress.gif", captions=captions(pictures))
    return [folder / "progress.gif"]


def captions(pictures: Sequence[Path]) -> list[str]:
    """The step that each picture shows, from its name."""
    return [f"step {int(path.stem.split('_')[1]):,}" for path in pictures]


def progress_pictures(folder: Path) -> list[Path]:
    """The pictures made during training: of samples, or else reconstructions, or forecasts."""
    from gm_jax.training.folder import RunFolder

    made = list(RunFolder(folder).samples.glob("step_*.png"))
    for ending in ("", "_reconstructions", "_forecasts"):
        matches = ((re.fullmatch(rf"step_(\d+){ending}\.png", path.name), path) for path in made)
        steps = {int(match[1]): path for match, path in matches if match}
        if steps:
            return [steps[step] for step in sorted(steps)]
    return []
