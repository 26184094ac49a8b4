"""`make results` stands still while something is measured."""

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import psutil  # which orbax-checkpoint brings


@contextlib.contextmanager
def paused_results() -> Iterator[list[int]]:
    """Suspends each `gm-jax results … --train` and all that it started; they go on at the end.

    Yields the numbers of what was suspended. SIGTERM ends like Ctrl-C meanwhile, so that only
    SIGKILL can leave them suspended; then `kill -CONT` and those numbers wake them.
    """
    processes = _trainings()
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    suspended = []
    try:
        for process in processes:
            with contextlib.suppress(psutil.Error):  # it may have ended, or be another user's
                process.suspend()
                suspended.append(process)
        yield [process.pid for process in suspended]
    finally:
        for process in reversed(suspended):
            with contextlib.suppress(psutil.Error):
                process.resume()
        signal.signal(signal.SIGTERM, before)


def _trainings() -> list[Any]:
    """Parents before their children, so that nothing is started in between."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if trains_results(process.cmdline()):
                found += [process, *process.children(recursive=True)]
    return list(dict.fromkeys(found))


def trains_results(command: Sequence[str]) -> bool:
    """Whether a command line is that of `gm-jax results --train`, however Python was started."""
    names = [part.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".exe") for part in command]
    for i, name in enumerate(names):
        if name in ("gm-jax", "gm_jax", "gm_jax.cli"):
            return command[i + 1 : i + 2] == ["results"] and "--train" in command[i + 2 :]
    return False
