"""Completion of command lines in shells: the commands as argparse would have them, for shtab.

tyro's own scripts complete options only; here the first words, experiments, matter most.
"""

import argparse
import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import shtab
import tyro

from gm_jax.cli.command import Command
from gm_jax.experiment_file import find_experiments

_NAMED = ("train", "show", "plan")  # these take an experiment by its name


def completion_script(commands: Mapping[str, type[Command]], shell: str) -> str:
    """What a shell has to read to complete gm-jax.

    It knows the commands, their options and choices, the experiments and variants that were found
    when it was made, and the options that all experiments have. Other words are paths.

    Args:
      commands: by name.
      shell: "bash" or "zsh".
    """
    from gm_jax.experiment import Evaluation, Sharding, Training

    parser = argparse.ArgumentParser("gm-jax")
    parser.add_argument("--version", action="store_true", help="print the version")
    chosen = parser.add_subparsers(dest="command")
    for name, cls in commands.items():
        sub = chosen.add_parser(name, help=_first_line(cls.__doc__).split(" Example")[0])
        if name in _NAMED:
            recipes = [recipe for file in find_experiments() for recipe in file.recipes]
            sub.add_argument("experiment", choices=recipes)
        for option in _options(cls):
            if option.name != "experiment":
                option.add_to(sub)
        if name in ("train", "plan"):
            for shared in (Training, Evaluation, Sharding):
                for option in _options(shared, f"{shared.__name__.lower()}."):
                    option.add_to(sub)
    return shtab.complete(parser, shell)


@dataclasses.dataclass(frozen=True)
class _Option:
    name: str
    kinds: tuple[Any, ...]  # the types it may have; None's is left out
    positional: bool

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        flag = self.name if self.positional else f"--{self.name.rstrip('_').replace('_', '-')}"
        choices = [choice for kind in self.kinds for choice in _choices(kind)]
        options: dict[str, Any] = {"choices": choices} if choices else {}
        if bool in self.kinds:
            options = {"action": argparse.BooleanOptionalAction}
        if self.positional:
            options["nargs"] = "*"
        action = parser.add_argument(flag, **options)
        if Path in self.kinds or (self.positional and not choices):
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # how shtab is told


def _options(cls: type, prefix: str = "") -> Iterator[_Option]:
    """The fields of a command or of a config as tyro makes options of them."""
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        hint, marks = hints[field.name], []
        while typing.get_origin(hint) is typing.Annotated:
            hint, *more = typing.get_args(hint)
            marks += more
        if tyro.conf.Suppress in marks:
            continue
        union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        kinds = tuple(
            k for k in (typing.get_args(hint) if union else (hint,)) if k is not type(None)
        )
        yield _Option(prefix + field.name, kinds, tyro.conf.Positional in marks)


def _choices(kind: Any) -> list[str]:
    return [str(c) for c in typing.get_args(kind)] if typing.get_origin(kind) is Literal else []


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]
