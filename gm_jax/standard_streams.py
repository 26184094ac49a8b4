"""stdout and stderr that take any character, and do not mind that nobody reads them.

Imports little, so that a process can begin with it.
"""

import codecs
import contextlib
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

_PLAIN = {
    "·": "-",
    "−": "-",
    "–": "-",
    "—": "-",
    "±": "+-",
    "×": "x",
    "→": "->",
    "ᾱ": "alpha",
    "≤": "<=",
    "≥": ">=",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "•": "*",
}
_ERRORS = "gm_jax.plain"


def plain(error: UnicodeError) -> tuple[str, int]:
    """Plain characters for those that a stream's encoding does not have: a codec error handler."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    without_accents = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return _PLAIN.get(character) or without_accents or "?"


codecs.register_error(_ERRORS, plain)


class _Unread(io.FileIO):
    """A file descriptor that throws away what is written once nobody is at its other end."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # a pipe was closed, a terminal left
                raise
            return memoryview(data).nbytes


@contextlib.contextmanager
def forgiving_streams() -> Iterator[None]:
    """A block in which printing neither fails for want of a character nor for want of a reader.

    Only the process's own streams are replaced; what a notebook or a test put there stays.
    """
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    for name, stream in before.items():
        if stream is None:  # closed by the shell, as in `command >&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _forgiving(stream))
    try:
        yield
    finally:
        for name, stream in before.items():
            ours = getattr(sys, name)
            setattr(sys, name, stream)
            if stream is None:
                ours.close()
            else:
                ours.flush()


def _forgiving(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    raw = _Unread(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=_ERRORS,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
