"""Which command is meant by what was typed."""

import dataclasses
import difflib
from typing import ClassVar, Literal

import tyro

from gm_jax.cli.animate import Animate
from gm_jax.cli.command import Command
from gm_jax.cli.compare import Compare
from gm_jax.cli.data import Data
from gm_jax.cli.encode import Encode
from gm_jax.cli.evaluate import Evaluate
from gm_jax.cli.export import Export
from gm_jax.cli.forecast import Forecast
from gm_jax.cli.inpaint import Inpaint
from gm_jax.cli.interpolate import Interpolate
from gm_jax.cli.list import List
from gm_jax.cli.plan import Plan
from gm_jax.cli.reconstruct import Reconstruct
from gm_jax.cli.record import Record
from gm_jax.cli.report_page import Report
from gm_jax.cli.results import Results
from gm_jax.cli.runs import Runs
from gm_jax.cli.sample import Sample
from gm_jax.cli.show import Show
from gm_jax.cli.train import Train
from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Completion(Command):
    """Print what a shell reads to complete gm-jax. Example: eval "$(gm-jax completion bash)" """

    shell: tyro.conf.Positional[Literal["bash", "zsh"]]
    """The shell to print it for."""

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        """Prints it."""
        from gm_jax.cli.completion import completion_script

        print(completion_script(COMMANDS, self.shell))
        return 0


COMMANDS: dict[str, type[Command]] = {
    "train": Train,
    "evaluate": Evaluate,
    "sample": Sample,
    "reconstruct": Reconstruct,
    "inpaint": Inpaint,
    "forecast": Forecast,
    "interpolate": Interpolate,
    "animate": Animate,
    "encode": Encode,
    "export": Export,
    "runs": Runs,
    "compare": Compare,
    "report": Report,
    "record": Record,
    "results": Results,
    "list": List,
    "show": Show,
    "plan": Plan,
    "data": Data,
    "completion": Completion,
}


@dataclasses.dataclass(frozen=True)
class Tell(Command):
    """Say something."""

    text: str

    uses_jax: ClassVar[bool] = False

    def act(self) -> int:
        """Prints it."""
        print(self.text)
        return 0


def read(argv: list[str]) -> Command:
    """The command of a command line, with what it needs imported.

    Raises:
      UserError: for a command that there is not, or options that do not fit.
    """
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    if not argv or argv[0] in ("-h", "--help"):
        return Tell(overview())
    if argv[0] in ("--version", "version"):
        from gm_jax import __version__

        return Tell(f"gm_jax {__version__}")
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UserError(f"there is no command {name}. {hint}(gm-jax --help lists all)")
    command = COMMANDS[name].parsed(name, rest)
    if command.uses_jax:
        from gm_jax.runtime import set_up

        set_up()
        import gm_jax.run  # noqa: F401  what commands import takes seconds: none has begun yet
    return command


def overview() -> str:
    """The page of `gm-jax help`."""
    lines = ["usage: gm-jax COMMAND [options]", ""]
    for name, command in COMMANDS.items():
        first = (command.__doc__ or "").strip().splitlines()[0]
        lines.append(f"  {name:<12} {first.split(' Example')[0]}")
    lines += [
        "",
        "example: gm-jax train digits/vae --model.latent-dim 8",
        "gm-jax help COMMAND shows a command's options;",
        "gm-jax help train EXPERIMENT shows every field of an experiment.",
    ]
    return "\n".join(lines)
