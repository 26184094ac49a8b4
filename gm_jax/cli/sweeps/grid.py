"""What a sweep trains: every combination of the values typed, each in a folder named after them."""

import argparse
import dataclasses
import functools
import itertools
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gm_jax.cli.spellings import whole_number
from gm_jax.errors import UserError


class Typed(NamedTuple):
    """What was typed for a sweep, and what else was typed.

    Attributes:
      sweeps: what follows each --sweep.
      jobs: what follows --jobs, or None.
      rest: all other arguments.
    """

    sweeps: list[str]
    jobs: int | None
    rest: list[str]


class Trial(NamedTuple):
    """One training of a sweep.

    Attributes:
      settings: the fields swept over, as the folder names them, and the values here.
      training: the command that trains it.
      args: what follows `gm-jax train` where it is trained alone.
    """

    settings: dict[str, str]
    training: Any
    args: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Of the run."""
        folder: Path = self.training.run
        return folder

    def described(self) -> str:
        """Its settings, in words."""
        return " · ".join(f"{name} = {value}" for name, value in self.settings.items())


def split_typed(argv: Sequence[str]) -> Typed:
    """Takes --sweep and --jobs out of what was typed.

    Raises:
      UserError: nothing follows them, or no number of jobs that can be.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--sweep", action="append", default=[])
    parser.add_argument("--jobs")
    try:
        found, rest = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        needs = {"--sweep": "FIELD=VALUE,VALUE,...", "--jobs": "a whole number"}
        raise UserError(f"{error.argument_name} needs {needs[error.argument_name or '']}") from None
    if found.jobs is None:
        return Typed(found.sweep, None, rest)
    try:
        jobs = whole_number(found.jobs)
    except ValueError:
        raise UserError(f"--jobs must be a whole number, not {found.jobs!r}") from None
    if jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {jobs}")
    if not found.sweep:
        raise UserError(f"--jobs {jobs} is for a sweep: give --sweep FIELD=VALUE,VALUE,...")
    return Typed(found.sweep, jobs, rest)


def plan(
    name: str,
    experiment: Any,
    parse: Callable[[Sequence[str]], Any],
    rest: Sequence[str],
    sweeps: Sequence[str],
) -> tuple[Trial, ...]:
    """The trainings of a sweep. All values are parsed before the first one trains.

    Args:
      name: what was typed as the experiment.
      experiment: what it is, before any option.
      parse: makes a training of arguments.
      rest: the arguments besides those of the sweep.
      sweeps: what follows each --sweep.

    Raises:
      UserError: for a sweep of another form, a value that does not fit, or two trainings that are
        the same.
    """
    from gm_jax.experiment import field_paths
    from gm_jax.run import default_folder

    axes: dict[str, list[str]] = {}
    for sweep in sweeps:
        field, values = split_sweep(sweep)
        if field in axes:
            raise UserError(f"--sweep names {field} twice: give all its values in one")
        axes[field] = values
    titles = short_names(list(axes), field_paths(experiment))
    trials: list[Trial] = []
    for chosen in itertools.product(*axes.values()):
        words: list[str] = []
        for field, value in zip(axes, chosen, strict=True):
            words += [f"--{field}", *split_value(experiment, field, value)]
        one = parse([*rest, *words])
        base = default_folder(one.experiment) if one.run is None else one.run
        settings = dict(zip(titles, chosen, strict=True))
        one = dataclasses.replace(one, run=sibling(base, settings))
        trial = Trial(settings, one, (name, *rest, *words, "--run", str(one.run)))
        for other in trials:
            if other.training.experiment == one.experiment or other.folder == trial.folder:
                raise UserError(
                    f"--sweep makes one training of {other.described()} and {trial.described()}: "
                    "leave one out"
                )
        trials.append(trial)
    return tuple(trials)


def split_sweep(sweep: str) -> tuple[str, list[str]]:
    """ "model.latent-dim=10,128" -> ("model.latent-dim", ["10", "128"]).

    Raises:
      UserError: for another form, or no or doubled values.
    """
    field, equals, listed = sweep.partition("=")
    values = [" ".join(v.split()) for v in listed.split(",")]
    if not equals or not field.strip() or not all(values):
        raise UserError(f"--sweep needs FIELD=VALUE,VALUE,..., not {sweep}")
    if len(set(values)) < len(values):
        raise UserError(f"--sweep names a value twice: {sweep}")
    field = field.strip().lstrip("-").replace("_", "-")
    if field in ("run", "sweep", "jobs", "init", "init-partial"):
        raise UserError(f"--sweep goes over a field of the experiment, not over --{field}")
    return field, values


def split_value(experiment: Any, field: str, value: str) -> list[str]:
    """The words of a value: several for a field that is a list, "32 32" or "32+32"."""
    if not _is_list(experiment, field.replace("-", "_")):
        return [value]
    return re.split(r"\s+|(?<![eE])\+", value)


def _is_list(config: Any, path: str) -> bool:
    above, _, name = path.rpartition(".")
    try:
        owner = functools.reduce(getattr, above.split(".") if above else [], config)
    except AttributeError:  # no such field: said where all options are parsed
        return False
    hint = typing.get_type_hints(type(owner)).get(name)
    return any(typing.get_origin(h) is tuple for h in (hint, *typing.get_args(hint)))


def short_names(fields: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The last word of each field, or as many more as tell it from all fields of the experiment."""
    known = [path.replace("_", "-").split(".") for path in paths]
    names = []
    for field in fields:
        parts = field.split(".")
        count = next(
            (n for n in range(1, len(parts)) if sum(k[-n:] == parts[-n:] for k in known) == 1),
            len(parts),
        )
        names.append("-".join(parts[-count:]))
    return names


def sibling(base: Path, settings: Mapping[str, str]) -> Path:
    """runs/cifar10/vae -> runs/cifar10/vae-latent-dim-128-beta-2."""
    named = "".join(
        f"-{name}-{value.replace('/', '_').replace(' ', '+')}" for name, value in settings.items()
    )
    return base.with_name(base.name + named)
