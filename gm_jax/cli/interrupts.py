"""Ctrl-C before anything was begun."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a process that Ctrl-C ended, as shells count."""


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """A block that has nothing to lose: Ctrl-C ends the process without a word.

    For imports, in which an exception may come out as a traceback of somebody else's, or not at
    all. Where Ctrl-C is ignored or somebody else's, it stays so.
    """
    in_main = threading.current_thread() is threading.main_thread()  # elsewhere Python forbids it
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
