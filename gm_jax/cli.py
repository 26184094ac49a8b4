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
    classifier: Path | None = None
    """Folder of a classifier's run, to read the labels of samples with."""
    num_images: int = 1000
    """How many samples the classifier reads."""
    json: bool = False
    """Print one JSON object instead of a table."""

    def act(self) -> None:
        from gm_jax.commands import run_evaluation

        run_evaluation(
            self.run,
            self.split,
            self.step,
            self.num_samples,
            self.classifier,
            self.num_images,
            self.json,
        )


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
    truncation: float | None = None
    """Keeps latents within this distance of 0, e.g. 0.7: more typical images, less diverse."""
    sampler: str | None = None
    """How to draw, for a model with several ways, e.g. ddim (default: as it was trained with)."""
    sampler_steps: int | None = None
    """Calls of the network for an image, of a diffusion model: fewer is faster."""
    eta: float | None = None
    """Noise of the sampler ddim: 0 is none, 1 that of ancestral sampling."""
    guidance: float | None = None
    """By the label: 1 is none, 2 makes images more typical of it and less diverse."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png grid, or .npz with the levels (default: samples/seed_N.png in the run)."""

    def act(self) -> None:
        from gm_jax.commands import run_sampling

        run_sampling(
            self.run,
            self.num,
            self.seed,
            self.means,
            self.label,
            self.truncation,
            {
                "sampler": self.sampler,
                "sampler_steps": self.sampler_steps,
                "eta": self.eta,
                "guidance": self.guidance,
            },
            self.step,
            self.out,
        )


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
class Inpaint:
    """Keep one half of images, and draw the other half several times.

    Autoregressive families draw in raster order: what is known below or to the right of a value has
    no part in it, so that --known top shows most. Example: gm-jax inpaint runs/digits/arm_cnn1d
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int = 10
    """How many images of the split."""
    completions: int = 4
    """Draws of each image."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    known: Literal["top", "bottom", "left", "right"] = "top"
    """The half that is kept."""
    seed: int = 0
    """Same seed, same completions."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png file (default: samples/inpainting_top.png in the run)."""

    def act(self) -> None:
        from gm_jax.commands import run_inpainting

        run_inpainting(
            self.run,
            self.num,
            self.completions,
            self.split,
            self.known,
            self.seed,
            self.step,
            self.out,
        )


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Say what comes next: frames at any times, a strip and an animation.

    From the last frames of a storm, a folder of <storm>_<NNN>.jpg with their _features.json, or
    from examples of the run's own data.
    Example: gm-jax forecast runs/storms/cae_convlstm --context my_storm --times 3600,5400,+2h
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    times: str | None = None
    """After the last known frame: seconds, or +30min, +2h; commas between (default: those of the
    frames that came)."""
    context: Path | None = None
    """Folder of a storm (default: examples of a split)."""
    storm: str | None = None
    """Which storm, where the folder holds several."""
    at: float | None = None
    """Time of the last known frame, in the storm's seconds (default: its last frame)."""
    split: str = "test"
    """train, valid, test, or a split expression."""
    num: int = 4
    """How many examples of the split."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A folder (default: forecasts in the run)."""

    def act(self) -> None:
        from gm_jax.forecast_commands import run_forecast

        run_forecast(
            self.run,
            self.times,
            self.context,
            self.storm,
            self.at,
            self.split,
            self.num,
            self.step,
            self.out,
        )


@dataclasses.dataclass(frozen=True)
class Interpolate:
    """Draw lines of images between pairs of images, or of latents.

    With --out lines.gif the lines move. Example: gm-jax interpolate runs/digits/vae --lines 8
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    num: int | None = None
    """Images a line (default: 10 in a picture, 30 in an animation)."""
    lines: int = 8
    """How many pairs."""
    split: str | None = None
    """Between images of train, valid, test (the default), or a split expression."""
    seed: int | None = None
    """Between latents drawn with this seed (default for a family without codes of images: 0)."""
    label: int | None = None
    """Class of the images between latents, for a model that was trained with labels."""
    step: str | None = None
    """Checkpoint: a step, "latest" or "best" (default: what the experiment names)."""
    out: Path | None = None
    """A .png, .gif or .mp4 file; .mp4 needs ffmpeg (default: samples/interpolation.png)."""

    def act(self) -> None:
        from gm_jax.commands import run_interpolation

        run_interpolation(
            self.run,
            self.num,
            self.lines,
            self.split,
            self.seed,
            self.label,
            self.step,
            self.out,
        )


@dataclasses.dataclass(frozen=True)
class Animate:
    """Show how a run's pictures changed while it trained.

    Works at any time, also before the training has ended.
    Example: gm-jax animate runs/digits/vae --seconds 0.1
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    seconds: float = 0.3
    """How long each picture is shown (the last one five times as long)."""
    out: Path | None = None
    """A .gif or .mp4 file; .mp4 needs ffmpeg (default: progress.gif in the run)."""

    def act(self) -> None:
        from gm_jax.commands import run_animation

        run_animation(self.run, self.out, self.seconds)


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
    "inpaint": Inpaint,
    "forecast": Forecast,
    "interpolate": Interpolate,
    "animate": Animate,
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
    options = [f.name.replace("_", "-") for f in dataclasses.fields(COMMANDS[name])]
    command = parse(COMMANDS[name], rest, f"gm-jax {name}", options=options)
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
    from gm_jax.experiment import field_paths
    from gm_jax.experiment_file import load
    from gm_jax.sweep import run_sweep

    default = load(name)
    options = ["run", "sweep", *(path.replace("_", "-") for path in field_paths(default))]

    @dataclasses.dataclass(frozen=True)
    class TrainExperiment(Train):
        __doc__ = Train.__doc__
        experiment: Annotated[type(default), tyro.conf.arg(name="")] = default  # type: ignore

    def parse_one(args: list[str]) -> Any:
        return parse(TrainExperiment, args, f"gm-jax train {name}", default.name, options)

    return run_sweep(parse_one, rest)


def parse(
    cls: Any, args: list[str], prog: str, subject: str | None = None, options: Sequence[str] = ()
) -> Any:
    """A command from its arguments, by tyro; what tyro says of bad ones becomes one line.

    Args:
      cls: the command's dataclass.
      args: what was typed behind the command.
      prog: how the command is called.
      subject: the experiment whose fields the options are, if they are.
      options: the names of the options, without dashes, from which the nearest is suggested.

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
        raise UserError(one_line(complaint.getvalue(), prog, subject, options)) from None


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


def one_line(complaint: str, prog: str, subject: str | None, options: Sequence[str]) -> str:
    """tyro's boxed complaint as one line: what is wrong, where, and what to do."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", complaint)
    # A terminal without Unicode gets a title over dashes instead of a box.
    lines = [line.strip("│╭╮╰╯ ") for line in text.splitlines()]
    if len(lines) > 1 and re.fullmatch(r"-+", lines[1]):
        lines = lines[2:]
    lines = [line for line in lines if line and not re.match(r"─|-+$", line)]
    lines = lines or ["the arguments can't be read"]
    return f"{_reword(lines, prog, subject, options)} ({prog} --help lists all)"


def _reword(lines: list[str], prog: str, subject: str | None, options: Sequence[str]) -> str:
    message, rest = lines[0].rstrip("."), lines[1:]
    if match := re.match(r"Unrecognized (?:options|arguments?): ([^,\s]+)", message):
        unknown = match[1]
        if not unknown.startswith("--"):
            return f"{prog} can't use {unknown!r} where it stands."
        unknown = unknown.lstrip("-").partition("=")[0]
        what = f"experiment {subject} has no field" if subject else f"{prog} has no option"
        return f"{what} {unknown}.{_nearest(unknown.replace('_', '-'), options)}"
    if match := re.match(r"Missing value for argument '(.+?)'", message):
        option = match[1]
        return f"{option} needs a value" if option.startswith("-") else f"{prog} needs its {option}"
    if match := re.match(
        r"invalid choice '(.*)' for argument '(.+?)'\. Expected .*\((.*)\)", message
    ):
        choices = re.findall(r"'([^']*)'", match[3])
        listed = ", ".join(choices)
        near = _nearest(match[1], choices)
        return f"{match[2]} must be one of {listed}, not {match[1]!r}.{near}"
    if message.startswith("Missing from") and len(rest) > 1:
        return f"{prog} needs {rest[0]}: {rest[1].removesuffix('(required)').strip()}"
    if match := re.match(r"Error parsing (\S+): (.*)", message):
        option, reason = match.groups()
        for pattern, kind in _KINDS:
            if value := re.fullmatch(pattern, reason):
                return f"{option} must be {kind}, not {value[1]}"
        if value := re.fullmatch(
            r"no type matching (.*) could be instantiated from \[(.*)\]", reason
        ):
            kinds = value[1].replace("|", " or ").replace("{", "").replace("}", "")
            return f"{option} must be {kinds}, not {value[2]}"
        # What a config says of itself names its field already.
        return f"{option}: {reason}" if option.startswith("-") else reason
    return message


_KINDS = (
    (r"invalid literal for int\(\) with base 10: (.*)", "a whole number"),
    (r"could not convert string to float: (.*)", "a number"),
    (r"Could not find valid parse for arguments: \[(.*)\]", "a list of the right kind"),
)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f" Did you mean {near[0]}?" if near else ""


def fail(message: str) -> int:
    """Prints one line on stderr; returns exit code 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2


def describe_os_error(error: OSError) -> str:
    """A system's refusal as one line with what to do."""
    where = f" {error.filename}" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            what = f" while writing{where}" if where else ""
            return f"the disk is full{what}: make room, then the same command resumes"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"no permission to open or write{where}: give another folder with --run or --out"
        case errno.ENOTDIR | errno.EEXIST | errno.ENOENT | errno.EISDIR if error.filename:
            reason = (error.strerror or "").lower()
            return f"{error.filename} can't be opened or made ({reason}): check the path"
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
            r"RESOURCE_EXHAUSTED|[Oo]ut of memory|Unable to allocate",
            lambda text: (
                "memory ran out: try a smaller model, --data.batch-size or --num "
                f"({' '.join(text.split())[:100]})"
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
