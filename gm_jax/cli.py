"""gm-jax: the command line. Parsing needs no jax; a command imports it when it runs."""

import contextlib
import dataclasses
import difflib
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from gm_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Train:
    """Train an experiment, evaluate it on the test split and make pictures.

    Run it again to resume. Example: gm-jax train digits/vae --model.latent-dim 8
    """

    run: Path | None = None
    """Folder of the run (default: runs/ and the experiment's name)."""
    sweep: str | None = None
    """Train once for each value, into sibling folders: FIELD=VALUE,VALUE,..."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Score a run on a split. Example: gm-jax evaluate runs/digits/vae --split valid"""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    split: str = "test"
    """train, valid, test, or a split expression such as "test[:100]"."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    num_samples: int | None = None
    """Effort of the estimate of log p(x), e.g. K of IWAE-K; 0 leaves it out."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def act(self) -> None:
        from gm_jax.commands import run_evaluation

        run_evaluation(self.run, self.split, self.step, self.num_samples, self.json)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw images from a run. Example: gm-jax sample runs/digits/vae --num 64 --seed 1"""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int = 64
    """How many images."""
    seed: int = 0
    """Same seed, same images."""
    means: bool = False
    """Show the mean image of each draw instead of a sample of it."""
    label: int | None = None
    """Class to draw from, for a model that was trained with labels."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png grid, or .npz with the levels (default: samples/seed_N.png in the run)."""

    def act(self) -> None:
        from gm_jax.commands import run_sampling

        run_sampling(self.run, self.num, self.seed, self.means, self.label, self.step, self.out)


@dataclasses.dataclass(frozen=True)
class Reconstruct:
    """Send images through a run's code and back.

    Example: gm-jax reconstruct runs/digits/vae --split valid --num 16
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    images: tuple[Path, ...] = ()
    """Image files of the size the run was trained on (default: images of the split)."""
    num: int = 16
    """How many images of the split."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png file (default: samples/reconstructions.png in the run)."""

    def act(self) -> None:
        from gm_jax.commands import run_reconstruction

        run_reconstruction(self.run, self.images, self.num, self.split, self.step, self.out)


@dataclasses.dataclass(frozen=True)
class Interpolate:
    """Draw lines of images between pairs. Example: gm-jax interpolate runs/digits/vae --lines 8"""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int = 10
    """Images a line."""
    lines: int = 8
    """Pairs of images."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png file (default: samples/interpolation.png in the run)."""

    def act(self) -> None:
        from gm_jax.commands import run_interpolation

        run_interpolation(self.run, self.num, self.lines, self.split, self.step, self.out)


@dataclasses.dataclass(frozen=True)
class List:
    """List the experiments: what each is, how long it takes, what to expect."""

    json: bool = False
    """Print one JSON array instead of a table."""

    def act(self) -> None:
        from gm_jax.listing import list_experiments

        list_experiments(self.json)


@dataclasses.dataclass(frozen=True)
class DataCommand:
    """List, describe or prepare data sets. Example: gm-jax data prepare mnist"""

    action: tyro.conf.Positional[Literal["list", "info", "prepare"]]
    """list what is prepared, describe one set, or download and prepare one."""
    name: Annotated[str | None, tyro.conf.Positional] = None
    """Name of a TFDS set."""
    data_dir: Path | None = None
    """Where to prepare it (default: the first of the folders that are looked in)."""

    def act(self) -> None:
        from gm_jax.listing import data_command

        data_command(self.action, self.name, self.data_dir)


COMMANDS: dict[str, Any] = {
    "train": Train,
    "evaluate": Evaluate,
    "sample": Sample,
    "reconstruct": Reconstruct,
    "interpolate": Interpolate,
    "list": List,
    "data": DataCommand,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: exits 0, or 2 with one line on stderr for a user's error."""
    try:
        code = dispatch(list(sys.argv[1:] if argv is None else argv))
    except UserError as error:
        code = fail(str(error))
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
    if name == "train":
        return train_command(rest)
    command = parse(COMMANDS[name], rest, f"gm-jax {name}")
    if name not in ("list", "data"):
        set_up()
    command.act()
    return 0


def set_up() -> None:
    """Process settings; only where jax is wanted anyway, hence after parsing."""
    from gm_jax.runtime import set_up as set_up_runtime

    set_up_runtime()


def overview() -> str:
    """The page of `gm-jax --help`."""
    lines = ["usage: gm-jax COMMAND [options]", ""]
    for name, command in COMMANDS.items():
        lines.append(f"  {name:<12} {command.__doc__.strip().splitlines()[0].split(' Example')[0]}")
    lines += [
        "",
        "example: gm-jax train digits/vae --model.latent-dim 8",
        "gm-jax COMMAND --help shows a command's options;",
        "gm-jax train EXPERIMENT --help shows every field of an experiment.",
    ]
    return "\n".join(lines)


def train_command(argv: list[str]) -> int:
    """train EXPERIMENT [--run] [--sweep] [overrides]."""
    if not argv or argv[0].startswith("-"):
        if argv and argv[0] in ("-h", "--help"):
            print("usage: gm-jax train EXPERIMENT [--run DIR] [--sweep FIELD=A,B] [--FIELD VALUE]")
            print(f"\n{Train.__doc__}\nAn experiment's own --help lists all fields it has.")
            return 0
        raise UserError("gm-jax train needs an experiment first, e.g. gm-jax train digits/vae")
    name, rest = argv[0], argv[1:]
    from gm_jax.experiment_file import resolve

    resolve(name)  # a wrong name is answered before jax is imported
    set_up()
    from gm_jax.experiment_file import load
    from gm_jax.sweep import run_sweep

    default = load(name)

    @dataclasses.dataclass(frozen=True)
    class TrainExperiment(Train):
        __doc__ = Train.__doc__
        experiment: Annotated[type(default), tyro.conf.arg(name="")] = default  # type: ignore

    def parse_one(args: list[str]) -> Any:
        return parse(TrainExperiment, args, f"gm-jax train {name}", subject=default.name)

    return run_sweep(parse_one, rest)


def parse(cls: Any, args: list[str], prog: str, subject: str | None = None) -> Any:
    """A command from its arguments, by tyro; what tyro says of bad ones becomes one line.

    Raises:
      UserError: for arguments that do not fit.
    """
    if {"-h", "--help"} & set(args):
        return tyro.cli(cls, args=args, prog=prog)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), wide_terminal():
            return tyro.cli(cls, args=args, prog=prog)
    except SystemExit as error:
        if not error.code:
            raise
        raise UserError(one_line(complaint.getvalue(), prog, subject)) from None


@contextlib.contextmanager
def wide_terminal() -> Any:
    """Keeps tyro from breaking its message into lines."""
    old = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        yield
    finally:
        if old is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = old


def one_line(complaint: str, prog: str, subject: str | None) -> str:
    """tyro's boxed complaint as one line that names the nearest option."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", complaint)
    lines = [line.strip("│╭╮╰╯ ").strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not re.fullmatch(r"[─\-].*", line)]
    options = [m.group(0) for line in lines if (m := re.match(r"--[\w.\-]+", line))]
    listing = f"({prog} --help lists all)"
    for line in lines:
        if match := re.search(r"Unrecognized (?:options|arguments?): (.*)", line):
            unknown = match.group(1).split(",")[0].split()[0].lstrip("-")
            what = f"experiment {subject} has no field" if subject else f"{prog} has no option"
            hint = f" Did you mean {options[0].lstrip('-')}?" if options else ""
            return f"{what} {unknown}.{hint} {listing}"
    message = lines[0] if lines else "the arguments can't be read"
    return f"{message.rstrip('.')} {listing}"


def fail(message: str) -> int:
    """Prints one line on stderr; returns exit code 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2


def describe_os_error(error: OSError) -> str:
    """A system's refusal as one line with what to do."""
    where = f" {error.filename}" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk is full{where}: make room, then the same command resumes"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"no permission to write{where}: give another folder with --run or --out"
        case _:
            return f"{error.strerror or error}{where}"


def known_failure(error: BaseException) -> str | None:
    """One line for failures that libraries wrap: a full disk, memory that ran out; else None."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    patterns: list[tuple[str, Callable[[str], str]]] = [
        (
            r"No space left on device|ENOSPC|Disk quota exceeded",
            lambda _: describe_os_error(OSError(errno.ENOSPC, "")),
        ),
        (
            r"Permission denied|Read-only file system",
            lambda _: describe_os_error(OSError(errno.EACCES, "")),
        ),
        (
            r"RESOURCE_EXHAUSTED|out of memory|Out of memory",
            lambda text: (
                f"memory ran out: try a smaller --data.batch-size ({' '.join(text.split())[:100]})"
            ),
        ),
    ]
    for found in causes:
        if isinstance(found, OSError) and found.errno:
            return describe_os_error(found)
        for pattern, describe in patterns:
            if re.search(pattern, str(found)):
                return describe(str(found))
    return None


if __name__ == "__main__":
    main()
