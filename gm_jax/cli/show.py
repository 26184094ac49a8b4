"""gm-jax show."""

import dataclasses

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.report import say


@dataclasses.dataclass(frozen=True)
class Show(Command):
    """Show an experiment: what it is, its variants and where they differ, and what was measured.

    Example: gm-jax show mnist/pixelcnn
    """

    experiment: tyro.conf.Positional[str]
    """Name or path, with or without a variant: mnist/pixelcnn, mnist/pixelcnn:paper, mine/exp.py"""

    def act(self) -> int:
        from gm_jax.experiment_file import DEFAULT, Recipe, describe, load, resolve
        from gm_jax.results.digest import digest, overrides
        from gm_jax.results.record import read_recorded
        from gm_jax.results.tables import spoken_cost, spoken_headline, spoken_machine

        asked = resolve(self.experiment)
        file = describe(asked.path)
        asked_for_all = asked.variant == DEFAULT
        variants = list(file.variants) if asked_for_all else [asked.variant]
        recommended = load(Recipe(asked.path, DEFAULT).typed)
        print(f"{file.name} · {asked.path}\n\n{file.doc}\n")
        digests = {file.name: digest(recommended)} if asked_for_all else {}
        for variant in variants:
            recipe = Recipe(asked.path, variant)
            experiment = load(recipe.typed)
            digests[recipe.name] = digest(experiment)
            say("variant", f"{recipe.name} · {' '.join(file.variants.get(variant, '').split())}")
            for path, old, new in overrides(recommended, experiment):
                say("", f"  {path}: {old} → {new}")
        records = [r for r in read_recorded(asked.path) if r.name in digests]
        for record in records:
            stale = "" if record.digest == digests[record.name] else " · of the recipe as it was"
            say(
                "record", f"{record.name} · seed {record.seed} · {spoken_headline([record])}{stale}"
            )
            say(
                "",
                f"  step {record.steps:,} · {spoken_cost(record)} core-minutes · "
                f"{record.date} · {spoken_machine(record)}",
            )
        if not records:
            say("record", "none yet (gm-jax record keeps what a finished run measured)")
        say("next", f"gm-jax train {self.experiment}")
        return 0
