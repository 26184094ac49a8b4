"""The entry point: which command is meant, and what is said where it fails."""

import difflib
import sys
from collections.abc import Sequence

from gm_jax.cli.animate import Animate
from gm_jax.cli.command import Command
from gm_jax.cli.data import Data
from gm_jax.cli.encode import Encode
from gm_jax.cli.evaluate import Evaluate
from gm_jax.cli.failures import describe_os_error, known_failure
from gm_jax.cli.forecast import Forecast
from gm_jax.cli.inpaint import Inpaint
from gm_jax.cli.interpolate import Interpolate
from gm_jax.cli.list import List
from gm_jax.cli.reconstruct import Reconstruct
from gm_jax.cli.runs import Runs
from gm_jax.cli.sample import Sample
from gm_jax.cli.train import Train
from gm_jax.errors import UserError

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
    "runs": Runs,
    "list": List,
    "data": Data,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: exits 0, or 2 with one line on stderr for a user's error."""
    try:
        code = dispatch(list(sys.argv[1:] if argv is None else argv))
    except UserError as error:
        code = fail(error.shell_line())
    except OSError as error:
        code = fail(describe_os_error(error))
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        known = known_failure(error)
        if known is None:
            raise
        code = fail(known)
    sys.exit(code)


def dispatch(argv: list[str]) -> int:
    """Runs one command line; returns the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return 0
    if argv[0] == "--version":
        from gm_jax import __version__

        print(f"gm_jax {__version__}")
        return 0
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UserError(f"there is no command {name}. {hint}(gm-jax --help lists all)")
    command = COMMANDS[name].parsed(name, rest)
    if command.uses_jax:
        from gm_jax.runtime import set_up

        set_up()
    return command.act()


def overview() -> str:
    """The page of `gm-jax --help`."""
    lines = ["usage: gm-jax COMMAND [options]", ""]
    for name, command in COMMANDS.items():
        first = (command.__doc__ or "").strip().splitlines()[0]
        lines.append(f"  {name:<12} {first.split(' Example')[0]}")
    lines += [
        "",
        "example: gm-jax train digits/vae --model.latent-dim 8",
        "gm-jax COMMAND --help shows a command's options;",
        "gm-jax train EXPERIMENT --help shows every field of an experiment.",
    ]
    return "\n".join(lines)


def fail(message: str) -> int:
    """Prints one line on stderr; returns exit code 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2
