"""gm-jax encode."""

import dataclasses
from pathlib import Path

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say


@dataclasses.dataclass(frozen=True)
class Encode(Command):
    """Write the codes of images, with their labels, for work elsewhere.

    Example: gm-jax encode runs/digits/vae --split train --out codes.npz
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    split: str = "test"
    """train, valid, test, or a split expression such as "test[:100]"."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""
    out: Path | None = None
    """An .npz with code [N, ...], index [N], and label [N] if any (default: codes_SPLIT.npz in the
    run)."""

    def act(self) -> int:
        """Codes of every image of a split, in its order."""
        from gm_jax.cli.asked import opened
        from gm_jax.cli.output import check_out, save_arrays, split_stem

        out = self.run / f"codes_{split_stem(self.split)}.npz" if self.out is None else self.out
        check_out(out, ".npz")
        run = opened(self.run, self.step, self.experiment)
        arrays = run.encode_split(self.split, show_progress=True)
        save_arrays(out, **arrays)
        shape = "x".join(map(str, arrays["code"].shape[1:]))
        say("codes", f"{out} · {len(arrays['code']):,} of {self.split} · {shape} each")
        return 0
