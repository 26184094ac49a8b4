"""gm-jax export."""

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
    from gm_jax.run import Run

_NUM = 64  # images of a call of a sampler


@dataclasses.dataclass(frozen=True)
class Export(Command):
    """Write the weights of a run, its sampler or a model card, for use elsewhere.

    Example: gm-jax export runs/digits/vae --out model.safetensors
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run, or a file of weights that gm-jax export wrote."""
    what: Literal["weights", "sampler", "card", "hub"] = "weights"
    """weights as .safetensors; a sampler that runs without gm_jax, by jax.export; a model card; or
    a folder as the Hugging Face Hub has it: weights, config.json and card."""
    out: Path | None = None
    """The file, or the folder of hub (default: in the run model.safetensors, sampler.stablehlo,
    README.md, hub)."""
    num: int | None = None
    """Images that a sampler draws in a call (default: 64)."""
    label: int | None = None
    """Class that a sampler draws, for a model that was trained with labels (default: in turn)."""
    license: str | None = None
    """Licence in a model card, e.g. apache-2.0 (default: unknown, to be filled in)."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    experiment: str | None = None
    """File of the run's own classes (default: the one it was trained from, if still the same)."""

    sampling: tyro.conf.Suppress[Any] = None

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> Command:
        """export RUN [options]: how this very run draws are options too.

        Raises:
          UserError: for a folder that holds no run, or options that do not fit it.
        """
        return parsed_for_run(cls, name, argv) or super().parsed(name, argv)

    def act(self) -> int:
        """Writes one of them, whole or not at all."""
        from gm_jax.cli.asked import opened
        from gm_jax.cli.output import check_out, naming
        from gm_jax.model import sampling_of

        names = {
            "weights": "model.safetensors",
            "sampler": "sampler.stablehlo",
            "card": "README.md",
            "hub": "hub",
        }
        folder = self.run.parent if self.run.is_file() else self.run
        out = folder / names[self.what] if self.out is None else self.out
        if self.what == "hub":
            check_out(out / "config.json")
        else:
            check_out(out, Path(names[self.what]).suffix)
        run = opened(self.run, self.step, self.experiment)
        other = changes(sampling_of(run.model), self.sampling)
        self._check_asked(other)
        with naming(out):
            write = {
                "weights": self._weights,
                "sampler": self._sampler,
                "card": self._card,
                "hub": self._hub,
            }[self.what]
            said = write(run, out, other)
        say("export", f"{out} · {said}")
        return 0

    def _check_asked(self, other: dict[str, Any]) -> None:
        """Raises UserError for an option that has no part in what is written."""
        of_sampler = [*self.asked_for("num", "label"), *other]
        if of_sampler and self.what != "sampler":
            name = of_sampler[0].replace("_", "-")
            raise UserError(f"--{name} is for --what sampler, not for --what {self.what}")
        if self.license is not None and self.what not in ("card", "hub"):
            raise UserError(f"--license is for --what card or hub, not for --what {self.what}")

    def _weights(self, run: "Run", out: Path, other: dict[str, Any]) -> str:
        run.export(out)
        return f"step {run.step:,} · {spoken_bytes(out)}"

    def _sampler(self, run: "Run", out: Path, other: dict[str, Any]) -> str:
        from gm_jax.cli.asked import check_label

        num = _NUM if self.num is None else self.num
        label = None if self.label is None else check_label(run, self.label)
        run.export_sampler(out, num, label, **other)
        return (
            f"seed to {num} {_kind(run)} · step {run.step:,}{spoken(other)} · {spoken_bytes(out)}"
        )

    def _card(self, run: "Run", out: Path, other: dict[str, Any]) -> str:
        from gm_jax.hub.card import write_card

        written = write_card(run, out, self.license)
        return " · ".join([f"step {run.step:,}", *(path.name for path in written[1:])])

    def _hub(self, run: "Run", out: Path, other: dict[str, Any]) -> str:
        from gm_jax.hub.folder import write_folder

        written = write_folder(run, out, self.license)
        return " · ".join([f"step {run.step:,}", *(path.name for path in written)])


def spoken_bytes(path: Path) -> str:
    """The size of a file."""
    return f"{path.stat().st_size / 1e6:,.1f} MB"


def _kind(run: "Run") -> str:
    return "points" if run.spec.continuous else "images"
