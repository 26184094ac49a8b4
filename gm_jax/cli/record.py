"""gm-jax record."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say, show_figures
from gm_jax.errors import UserError

if TYPE_CHECKING:
    from gm_jax.results.record import Record as Measured


@dataclasses.dataclass(frozen=True)
class Record(Command):
    """Keep what a finished run measured beside its experiment, and make the pages of records anew.

    The run must be of a recipe as it stands, without overrides, and of committed code.
    Example: gm-jax record runs/digits/vae
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    classifier: Path | None = None
    """Folder of a classifier's run, to read the labels of samples with, and to hold as many as can
    be drawn in a minute against the test split."""
    experiment: str | None = None
    """File of the experiment, where it is not found by the run's name."""
    check: bool = False
    """Only hold the run against the record there is of its recipe and seed, and write nothing."""

    def act(self) -> int:
        from gm_jax.experiment_file import describe, load
        from gm_jax.results.measure import measure
        from gm_jax.results.pages import PICTURES, checkout_of, picture_name, remake
        from gm_jax.results.picture import make_picture
        from gm_jax.results.record import keep, read_recorded
        from gm_jax.results.tables import spoken_cost

        recipe, record = measure(self.run, self.experiment, self.classifier)
        if self.check:
            return _hold_against(record, read_recorded(recipe.path))
        root = checkout_of(recipe.path)
        if root is not None and record.seed == load(recipe.typed).seed:  # one picture is enough
            out = root / PICTURES / picture_name(recipe.name)
            if make_picture(self.run, out):
                record = dataclasses.replace(record, picture=out.name)
        path = keep(record, describe(recipe.path))
        say(
            "record",
            f"{record.name} · seed {record.seed} · step {record.steps:,} · "
            f"{spoken_cost(record)} core-minutes · {path}",
        )
        show_figures("test", record.figures)
        for page in [] if root is None else remake(root):
            say("page", str(page))
        return 0


def _hold_against(record: "Measured", recorded: "list[Measured]") -> int:
    """Says which figures are as recorded; 1 where one is too far away.

    Raises:
      UserError: where there is no record of the recipe as it stands, and of this seed.
    """
    from gm_jax.results.repetition import again

    lines = again(record, recorded)
    if not lines:
        raise UserError(
            f"{record.name} has no record of seed {record.seed} as it stands: leave --check out, "
            "and this run becomes it"
        )
    width = max(len(line.name) for line in lines)
    for i, line in enumerate(lines):
        apart = "the same" if line.is_same else "not the same"
        if not line.is_same and line.deviations is not None:
            apart = f"{line.deviations:.2g} standard deviations away"
        say(
            "" if i else "check",
            f"{line.name:{width}}  {line.recorded:12.6g}  {line.measured:12.6g}  {apart}",
        )
    same, near = sum(line.is_same for line in lines), sum(line.is_near for line in lines)
    say(
        "record",
        f"{record.name} · seed {record.seed} · {same} of {len(lines)} figures are the same"
        + ("" if same == len(lines) else f", {near} within 3 standard deviations"),
    )
    return 0 if near == len(lines) else 1
