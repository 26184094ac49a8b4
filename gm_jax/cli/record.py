"""gm-jax record."""

import dataclasses
from pathlib import Path

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say, show_figures


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

    def act(self) -> int:
        from gm_jax.experiment_file import describe, load
        from gm_jax.results.measure import measure
        from gm_jax.results.pages import PICTURES, checkout_of, picture_name, remake
        from gm_jax.results.picture import make_picture
        from gm_jax.results.record import keep
        from gm_jax.results.tables import spoken_cost

        recipe, record = measure(self.run, self.experiment, self.classifier)
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
