"""--sweep FIELD=A,B,C: one experiment for each value, one after the other, in sibling folders."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gm_jax.cli.command import Command
from gm_jax.cli.report import say
from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Sweep(Command):
    """Several trainings. One that is stopped ends the sweep; the same command resumes it."""

    field: str
    values: tuple[str, ...]
    trainings: tuple[Any, ...]

    def act(self) -> int:
        for i, (value, training) in enumerate(zip(self.values, self.trainings, strict=True), 1):
            say("sweep", f"{i} of {len(self.values)} · {self.field} = {value} · {training.run}")
            if code := training.act():
                return code
        return 0


def plan_sweep(parse: Callable[[Sequence[str]], Any], argv: Sequence[str], sweep: str) -> Sweep:
    """The trainings of a sweep. All values are parsed before the first one trains.

    Args:
      parse: makes a training of arguments.
      argv: the arguments, --sweep among them.
      sweep: what follows --sweep.

    Raises:
      UserError: for a sweep of another form, or a value that does not fit.
    """
    from gm_jax.run import default_folder

    field, values = split_sweep(sweep)
    trainings = []
    for value in values:
        one = parse([*argv, f"--{field}", *value.split("+")])
        base = default_folder(one.experiment) if one.run is None else one.run
        trainings.append(dataclasses.replace(one, run=sibling(base, field, value)))
    return Sweep(field, tuple(values), tuple(trainings))


def split_sweep(sweep: str) -> tuple[str, list[str]]:
    """ "model.latent-dim=10,128" -> ("model.latent-dim", ["10", "128"]); a list value uses +.

    Raises:
      UserError: for another form, or no or doubled values.
    """
    field, equals, listed = sweep.partition("=")
    values = [v.strip() for v in listed.split(",")]
    if not equals or not field.strip() or not all(values):
        raise UserError(f"--sweep needs FIELD=VALUE,VALUE,..., not {sweep}")
    if len(set(values)) < len(values):
        raise UserError(f"--sweep names a value twice: {sweep}")
    field = field.strip().lstrip("-")
    if field in ("run", "sweep"):
        raise UserError(f"--sweep goes over a field of the experiment, not over --{field}")
    return field, values


def sibling(base: Path, field: str, value: str) -> Path:
    """runs/cifar10/vae -> runs/cifar10/vae-latent-dim-128."""
    name = field.rpartition(".")[2].replace("_", "-")
    return base.with_name(f"{base.name}-{name}-{value.replace('/', '_')}")
