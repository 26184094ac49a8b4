"""gm-jax train."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.parsing import parse
from gm_jax.cli.report import say, show_figures
from gm_jax.cli.sweeps.grid import plan, split_typed
from gm_jax.cli.sweeps.sweep import Sweep
from gm_jax.errors import UserError

_VALUED = (
    *("--run", "--sweep", "--jobs", "--init", "--profile"),
    *("--coordinator", "--num-processes", "--process-id"),
)

if TYPE_CHECKING:
    from gm_jax.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Train(Command):
    """Train an experiment, evaluate it on the test split and make pictures.

    Run it again to resume. Example: gm-jax train digits/vae --model.latent-dim 8
    """

    run: Path | None = None
    """Folder of the run (default: runs/ and the experiment's name)."""
    sweep: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Train once for each value, into sibling folders: FIELD=VALUE,VALUE,...; several make a grid.
    A value of a list has spaces: "model.coder.hidden=32 32,64"."""
    jobs: int | None = None
    """Trainings of a sweep at a time, each in a process of its own (default: one after the other,
    in this one)."""

    init: Path | None = None
    """Weights to start from: a .safetensors file, or the folder of a run."""
    init_partial: bool = False
    """Leave arrays of --init that do not fit out, instead of refusing them."""
    profile: str | None = None
    """Steps to trace, FIRST:LAST, e.g. 100:110: what the device does when, into RUN/profile."""

    distributed: bool = dataclasses.field(default_factory=lambda: is_one_of_several(os.environ))
    """Train in several processes, each started by this command (default: whether SLURM, a TPU or
    JAX_COORDINATOR_ADDRESS says that there are others)."""
    coordinator: str | None = None
    """Where the first of them is, host:port, where nothing else tells."""
    num_processes: int | None = None
    """How many there are."""
    process_id: int | None = None
    """Which this one is, from 0."""

    experiment: tyro.conf.Suppress[Any] = None

    @classmethod
    def parsed(cls, name: str, argv: Sequence[str]) -> Command:
        """train EXPERIMENT [options]: the experiment's fields are options too.

        Raises:
          UserError: for an experiment that is not there, or options that do not fit it.
        """
        typed = find_experiment(argv)
        if typed is None:
            if {"-h", "--help"} & set(argv):
                return TrainHelp()
            raise UserError("gm-jax train needs an experiment first, e.g. gm-jax train digits/vae")
        from gm_jax.experiment_file import resolve

        resolve(typed)  # a wrong name is answered before jax is imported
        sweeps, jobs, rest = split_typed(without(argv, typed))
        from gm_jax.runtime import set_up

        set_up()
        from gm_jax.experiment import field_paths
        from gm_jax.experiment_file import load

        default = load(typed)
        fields: dict[str, Any] = {
            p: functools.reduce(getattr, p.split("."), default) for p in field_paths(default)
        }
        fields |= {"run": None, "sweep": (), "jobs": None, "init": None, "init_partial": False}
        fields["profile"] = None
        fields |= {"distributed": False, "coordinator": None, "num_processes": None}
        fields["process_id"] = None
        options = {name.replace("_", "-"): value for name, value in fields.items()}

        @dataclasses.dataclass(frozen=True)
        class TrainExperiment(cls):  # type: ignore[misc, valid-type]
            __doc__ = cls.__doc__
            experiment: Annotated[type(default), tyro.conf.arg(name="")] = default  # type: ignore

        def parse_one(args: Sequence[str]) -> Any:
            return parse(TrainExperiment, args, f"gm-jax {name} {typed}", options, default.name)

        one = parse_one(rest)
        if sweeps and one.in_several:
            raise UserError(
                "--sweep trains in one process: give --no-distributed, and no --coordinator, "
                "--num-processes or --process-id"
            )
        return Sweep(plan(typed, default, parse_one, rest, sweeps), jobs) if sweeps else one

    @property
    def in_several(self) -> bool:
        """Whether there are other processes."""
        named = (self.coordinator, self.num_processes, self.process_id)
        return self.distributed or any(value is not None for value in named)

    def act(self) -> int:
        """Trains (or resumes), evaluates, paints."""
        if not self.in_several:
            return self._act()
        from gm_jax.cli.together import ending_with_the_others
        from gm_jax.training.processes import connect

        connect(self.coordinator, self.num_processes, self.process_id)
        return ending_with_the_others(self._act)

    def _act(self) -> int:
        from gm_jax.cli.animate import draw_progress
        from gm_jax.cli.closing import (
            SayState,
            draw_curves,
            introduce,
            next_commands,
            record_figures,
            say_how_it_ended,
        )
        from gm_jax.run import default_folder, finished_run
        from gm_jax.training.initial import Init
        from gm_jax.training.loop import train
        from gm_jax.training.processes import leads
        from gm_jax.training.profiling import parse_steps

        if self.init_partial and self.init is None:
            raise UserError("--init-partial is for --init: give the weights to start from")
        init = None if self.init is None else Init(self.init, self.init_partial)
        experiment: Experiment = self.experiment
        folder = default_folder(experiment) if self.run is None else self.run
        steps = experiment.training.num_steps
        profile = None if self.profile is None else parse_steps(self.profile, steps)
        spec = experiment.data.spec
        if leads():
            introduce(experiment, spec)
        check_test_split(experiment)
        result = train(experiment, folder, [SayState(spec)], init, profile)
        if leads():
            say_how_it_ended(experiment, folder, result)
        if result.signum is not None:
            return 128 + result.signum
        run = finished_run(experiment, folder, result)
        figures = run.evaluate("test", show_progress=leads())
        run = run.here()
        if not leads():
            return 0
        show_figures("test", figures)
        record_figures(run, "test", figures)
        pictures = [*run.paint("final"), draw_curves(folder), *draw_progress(folder)]
        names = (str(picture.relative_to(folder)) for picture in pictures)
        say("pictures", f"in {folder}: {' · '.join(names)}")
        say("next", next_commands(run))
        return 0


@dataclasses.dataclass(frozen=True)
class TrainHelp(Command):
    """What `gm-jax train` says of itself where no experiment is named."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        """Prints it."""
        print(
            "usage: gm-jax train EXPERIMENT [--run DIR] [--sweep FIELD=A,B] [--jobs N] "
            "[--init FILE_OR_RUN] [--FIELD VALUE]\n\n"
            f"{Train.__doc__}\n"
            "gm-jax train EXPERIMENT --help lists all fields it has."
        )
        return 0


def is_one_of_several(environment: Mapping[str, str]) -> bool:
    """Whether the environment says that there are other processes: SLURM's, a TPU's, or by hand."""
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "1")
    return (
        ("SLURM_PROCID" in environment and tasks.isdigit() and int(tasks) > 1)
        or "," in environment.get("TPU_WORKER_HOSTNAMES", "")
        or "JAX_COORDINATOR_ADDRESS" in environment
    )


def find_experiment(argv: Sequence[str]) -> str | None:
    """What was typed as the experiment, be it behind options; None where nothing was.

    Behind options it is the first word that names one, or else the first that no option stands
    before.
    """
    words = [
        (before, word)
        for before, word in zip(["", *argv], argv, strict=False)
        if not word.startswith("-") and before not in _VALUED
    ]
    if not words or argv[0] == words[0][1]:
        return words[0][1] if words else None
    from gm_jax.experiment_file import resolve

    def is_experiment(word: str) -> bool:
        if Path(word).is_file() and not word.endswith(".py"):
            return False
        try:
            resolve(word)
        except UserError:
            return False
        return True

    alone = (word for before, word in words if not before.startswith("-"))
    return next((word for _, word in words if is_experiment(word)), next(alone, None))


def without(argv: Sequence[str], typed: str) -> list[str]:
    """What was typed besides the experiment."""
    rest = list(argv)
    rest.remove(typed)
    return rest


def check_test_split(experiment: "Experiment") -> None:
    """Looks, before hours of training, whether there will be anything to evaluate on.

    Raises:
      UserError: for a split that is not there, or has no examples.
    """
    if not len(experiment.data.source.open(experiment.data.test)):
        raise UserError(f"the split 'test' ({experiment.data.test}) has no examples")
