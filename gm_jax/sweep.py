"""--sweep FIELD=A,B,C: one experiment for each value, one after the other, in sibling folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gm_jax.commands import run_training, say
from gm_jax.errors import UserError
from gm_jax.run import default_folder


def run_sweep(parse: Callable[[list[str]], Any], argv: list[str]) -> int:
    """Trains what the arguments say, once or once for each value; returns the exit code.

    All values are parsed before the first one trains. A run that is stopped ends the sweep; the
    same command resumes it.
    """
    command = parse(argv)
    if command.sweep is None:
        return run_training(command.experiment, command.run)
    field, values = split_sweep(command.sweep)
    plans = []
    for value in values:
        one = parse([*argv, f"--{field}", *value.split("+")])
        base = default_folder(one.experiment) if one.run is None else one.run
        plans.append((one.experiment, sibling(base, field, value)))
    for i, (experiment, folder) in enumerate(plans):
        say("sweep", f"{i + 1} of {len(plans)} · {field} = {values[i]} · {folder}")
        code = run_training(experiment, folder)
        if code:
            return code
    return 0


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
