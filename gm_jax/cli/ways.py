"""The ways in which a run can draw, as options of a command that draws from it."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from gm_jax.cli.command import Command
from gm_jax.cli.parsing import parse
from gm_jax.errors import UserError


def parsed_for_run(cls: type[Command], name: str, argv: Sequence[str]) -> Command | None:
    """A command with what was typed behind it, where a run is named: its ways of drawing, too.

    Args:
      cls: the command, with fields `run` (where it is) and `sampling` (how it draws).
      name: of the command.
      argv: what was typed behind it.

    Returns:
      None where no run is to be seen.

    Raises:
      UserError: for a folder that holds no run, or options that do not fit it.
    """
    typed = find_run(argv)
    if typed is None:
        return None
    path = Path(typed)
    from gm_jax.runtime import set_up

    set_up()
    from gm_jax.experiment_code import read_code
    from gm_jax.experiment_file import resolve
    from gm_jax.model import sampling_of
    from gm_jax.run import load_run

    given = find_experiment(argv)
    code = None if given is None else read_code(*resolve(given))[0]
    config = sampling_of(load_run(path, code).model)
    ways = [] if config is None else dataclasses.fields(config)
    fields = [f for f in dataclasses.fields(cls) if f.name not in ("run", "sampling")]
    kind: Any = Annotated[Any, tyro.conf.Suppress]
    if config is not None:
        kind = Annotated[type(config), tyro.conf.arg(name="")]

    @dataclasses.dataclass(frozen=True)
    class OfRun(cls):  # type: ignore[misc, valid-type]
        __doc__ = cls.__doc__
        run: tyro.conf.Suppress[Path] = path
        sampling: kind = config

    rest = list(argv)
    rest.remove(typed)
    options = {f.name.replace("_", "-"): f.default for f in (*fields, *ways)}
    command: Command = parse(OfRun, rest, f"gm-jax {name} {path}", options)
    return command


def find_run(argv: Sequence[str]) -> str | None:
    """The folder of the run among what was typed; None where there is none to be seen.

    Raises:
      UserError: what stands first is no option, and no run.
    """
    named = [word for word in argv if not word.startswith("-")]
    if argv and not argv[0].startswith("-"):
        if not (Path(named[0]).is_dir() or _is_weights(named[0])):
            raise UserError(f"there is no run {named[0]} (gm-jax train makes one)")
        return named[0]
    runs = (w for w in named if (Path(w) / "experiment.json").is_file() or _is_weights(w))
    return next(runs, None)


def find_experiment(argv: Sequence[str]) -> str | None:
    """What was typed behind --experiment, which has to be known before all options are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--experiment")
    try:
        given: str | None = parser.parse_known_args(argv)[0].experiment
    except argparse.ArgumentError:  # nothing behind it: said where all options are parsed
        return None
    return given


def changes(own: Any, wanted: Any) -> dict[str, Any]:
    """The fields in which the way of drawing that is wanted is not the run's own."""
    names = [] if own is None or wanted is None else [f.name for f in dataclasses.fields(own)]
    pairs = {name: (getattr(own, name), getattr(wanted, name)) for name in names}
    return {name: new for name, (old, new) in pairs.items() if new != old}


def spoken(changed: dict[str, Any]) -> str:
    """Changed fields at the end of a line: " · guidance 2"."""
    values = {n: f"{v:g}" if isinstance(v, float) else str(v) for n, v in changed.items()}
    return "".join(f" · {name.replace('_', ' ')} {value}" for name, value in values.items())


def _is_weights(typed: str) -> bool:
    """Whether it is a file of weights, which stands for a run."""
    return typed.endswith(".safetensors") and Path(typed).is_file()
