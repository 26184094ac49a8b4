"""How gm-jax begins and ends. Only what asks for no time is imported before Ctrl-C is seen to."""

import contextlib
import gc
import sys
from collections.abc import Iterator, Sequence

from gm_jax.cli.interrupts import INTERRUPTED, leaving_at_once


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: exits 0, or 2 with one line on stderr for a user's error."""
    with leaving_at_once():
        from gm_jax.cli.failures import failure_line, say_error
        from gm_jax.standard_streams import forgiving_streams
    try:
        with forgiving_streams():
            code = guarded(list(sys.argv[1:] if argv is None else argv))
    except OSError as error:  # of the streams themselves: the disk that stdout goes to is full
        code = say_error(failure_line(error) or str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def guarded(argv: list[str]) -> int:
    """Runs one command line; returns the exit code, also of what a user can cause."""
    from gm_jax.cli.failures import failure_line, say_error

    try:
        return dispatch(argv)
    except Exception as error:
        line = failure_line(error)
        if line is None:
            raise
        return say_error(line)


def dispatch(argv: list[str]) -> int:
    """Runs one command line; returns the exit code."""
    with leaving_at_once(), _uncollected():
        from gm_jax.cli.commands import read

        command = read(argv)
    return command.act()


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: imports leave none, and looking for it is a seventh of their time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
