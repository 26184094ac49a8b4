"""gm-jax train."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.parsing import parse
from gm_jax.cli.report import say, show_figures
from gm_jax.cli.sweep import plan_sweep
from gm_jax.errors import UserError

if TYPE_CHECKING:
    from gm_jax.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Train(Command):
    """Train an experiment, evaluate it on the test split and make pictures.

    Run it again to resume. Example: gm-jax train digits/vae --model.latent-dim 8
    """

    run: Path | None = None
    """Folder of the run (default: runs/ and the experiment's name)."""
    sweep: str | None = None
    """Train once for each value, into sibling folders: FIELD=VALUE,VALUE,..."""

    experiment: tyro.conf.Suppress[Any] = None

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> Command:
        """train EXPERIMENT [--run] [--sweep] [overrides]: options are the experiment's fields too.

        Raises:
          UserError: for an experiment that is not there, or options that do not fit it.
        """
        if not argv or argv[0].startswith("-"):
            if argv and argv[0] in ("-h", "--help"):
                print(
                    "usage: gm-jax train EXPERIMENT [--run DIR] [--sweep FIELD=A,B] [--FIELD VALUE]"
                )
                print(f"\n{Train.__doc__}\nAn experiment's own --help lists all fields it has.")
                raise SystemExit(0)
            raise UserError("gm-jax train needs an experiment first, e.g. gm-jax train digits/vae")
        experiment, rest = argv[0], argv[1:]
        from gm_jax.experiment_file import resolve

        resolve(experiment)  # a wrong name is answered before jax is imported
        from gm_jax.runtime import set_up

        set_up()
        from gm_jax.experiment import field_paths
        from gm_jax.experiment_file import load

        default = load(experiment)
        options = ["run", "sweep", *(path.replace("_", "-") for path in field_paths(default))]

        @dataclasses.dataclass(frozen=True)
        class TrainExperiment(cls):  # type: ignore[misc, valid-type]
            __doc__ = cls.__doc__
            experiment: Annotated[type(default), tyro.conf.arg(name="")] = default  # type: ignore

        def parse_one(args: Sequence[str]) -> Any:
            prog = f"gm-jax {name} {experiment}"
            return parse(TrainExperiment, args, prog, default.name, options)

        one = parse_one(rest)
        return one if one.sweep is None else plan_sweep(parse_one, rest, one.sweep)

    def act(self) -> int:
        """Trains (or resumes), evaluates, paints."""
        from gm_jax.cli.animate import draw_progress
        from gm_jax.cli.closing import (
            draw_curves,
            introduce,
            next_commands,
            record_figures,
            say_how_it_ended,
        )
        from gm_jax.run import default_folder, finished_run
        from gm_jax.training.loop import train

        experiment: Experiment = self.experiment
        folder = default_folder(experiment) if self.run is None else self.run
        introduce(experiment)
        check_test_split(experiment)
        result = train(experiment, folder)
        say_how_it_ended(experiment, folder, result)
        if result.signum is not None:
            return 128 + result.signum
        run = finished_run(experiment, folder, result)
        figures = run.evaluate("test", show_progress=True)
        show_figures("test", figures)
        record_figures(run, "test", figures)
        pictures = [*run.paint("final"), draw_curves(folder), *draw_progress(folder)]
        names = (str(picture.relative_to(folder)) for picture in pictures)
        say("pictures", f"in {folder}: {' · '.join(names)}")
        say("next", next_commands(run))
        return 0


def check_test_split(experiment: "Experiment") -> None:
    """Looks, before hours of training, whether there will be anything to evaluate on.

    Raises:
      UserError: for a split that is not there, or has no examples.
    """
    if not len(experiment.data.source.open(experiment.data.test)):
        raise UserError(f"the split 'test' ({experiment.data.test}) has no examples")
