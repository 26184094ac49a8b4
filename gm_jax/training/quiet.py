"""Keeps what Orbax prints out of the one line that says what went wrong."""

import contextlib
import inspect
import logging
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keeps stderr to the one line that says which checkpoint is damaged, or that the disk is full.

    When one of Orbax's reads or writes fails, it drops the others, which print a traceback each as
    they end or find their event loop closed, perhaps much later. So after a failure the silence
    stays.
    """
    # Orbax reports every save and restore; failures raise.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logger = logging.getLogger("asyncio")
    level = logger.level
    hook, unraisable_hook = sys.excepthook, sys.unraisablehook

    def is_late(error: BaseException | None) -> bool:
        return isinstance(error, RuntimeError) and "Event loop is closed" in str(error)

    def quiet_hook(kind: Any, error: Any, trace: Any) -> None:
        if not is_late(error):
            hook(kind, error, trace)

    def quiet_unraisable_hook(unraisable: Any) -> None:
        if not (is_late(unraisable.exc_value) or inspect.iscoroutine(unraisable.object)):
            unraisable_hook(unraisable)

    logger.setLevel(logging.CRITICAL)
    sys.excepthook, sys.unraisablehook = quiet_hook, quiet_unraisable_hook
    yield
    logger.setLevel(level)
    sys.excepthook, sys.unraisablehook = hook, unraisable_hook
