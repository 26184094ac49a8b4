"""Command lines read by tyro, whose complaints become one line."""

import contextlib
import difflib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tyro

from gm_jax.cli.spellings import as_switches, spellings
from gm_jax.errors import UserError


def parse(
    cls: Any,
    args: Sequence[str],
    prog: str,
    options: Mapping[str, Any],
    subject: str | None = None,
) -> Any:
    """A command from its arguments, by tyro; what tyro says of bad ones becomes one line.

    Args:
      cls: the command's dataclass.
      args: what was typed behind the command.
      prog: how the command is called.
      options: names, without the dashes before them, and defaults. The nearest name is suggested;
        those that are true or false by default may be followed by a value.
      subject: the experiment whose fields the options are, if they are.

    Raises:
      UserError: for arguments that do not fit.
    """
    switches = [name for name, default in options.items() if isinstance(default, bool)]
    args = as_switches(args, switches)
    if {"-h", "--help"} & set(args):
        with environment(**{"TERM": "dumb"} if os.environ.get("NO_COLOR") else {}):
            return tyro.cli(cls, args=args, prog=prog, registry=spellings())
    complaint = io.StringIO()
    try:
        # Wide, so that tyro does not break its message into lines.
        with contextlib.redirect_stderr(complaint), environment(COLUMNS="2000"):
            return tyro.cli(cls, args=args, prog=prog, registry=spellings())
    except SystemExit as error:
        if not error.code:
            raise
        raise UserError(one_line(complaint.getvalue(), prog, subject, options)) from None


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """A block with these environment variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def one_line(complaint: str, prog: str, subject: str | None, options: Iterable[str]) -> str:
    """tyro's boxed complaint as one line: what is wrong, where, and what to do."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", complaint)
    # A terminal without Unicode gets a title over dashes instead of a box.
    lines = [line.strip("│╭╮╰╯ ") for line in text.splitlines()]
    if len(lines) > 1 and re.fullmatch(r"-+", lines[1]):
        lines = lines[2:]
    lines = [line for line in lines if line and not re.match(r"─|-+$", line)]
    lines = lines or ["the arguments can't be read"]
    return f"{_reword(lines, prog, subject, options)} ({prog} --help lists all)"


def _reword(lines: list[str], prog: str, subject: str | None, options: Iterable[str]) -> str:
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
        if "None" in choices:  # its other spelling need not be listed
            choices.remove("none")
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


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {near[0]}?" if near else ""
