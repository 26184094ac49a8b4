"""SIGTERM and Ctrl-C: noted, so that training can save and stop between two steps."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class StopRequest:
    """A context in which the first SIGINT or SIGTERM only sets `signum`; a second one acts."""

    def __init__(self, then: Callable[[int], None] | None = None):
        """`then` is called with the signal's number after it was noted."""
        self.signum: int | None = None
        self._then = then
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids it
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        signal.signal(signum, self._previous[signum])
        if self._then is not None:
            self._then(signum)
