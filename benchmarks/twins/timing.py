"""How steps are timed, on both sides alike."""

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

WINDOW = 0.25
"""Seconds: steps are timed in windows of at least this, as a training loop dispatches them."""
LEAST_WINDOWS = 5
RESIDENT_BYTES = 64 * 2**20
MOST_EXAMPLES = 4096


def positive(text: str) -> int:
    """For argparse: how many rounds, threads or examples."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text!r}")
    return int(text)


def limit_threads(threads: int) -> None:
    """Leaves the process that many cores; call it before libraries count them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


def num_resident(batch: int, example_bytes: int) -> int:
    """Random examples that lie on the device; steps gather their batches from them."""
    return max(batch, min(MOST_EXAMPLES, RESIDENT_BYTES // example_bytes))


def time_steps(
    dispatch: Callable[[], None], wait: Callable[[], None], a_dispatch: int, seconds: float
) -> dict[str, Any]:
    """Milliseconds a step, the median over windows.

    Args:
      dispatch: starts some steps.
      wait: until all are done; called at the end of a window only.
      a_dispatch: steps in each dispatch.
      seconds: to measure for, after as long a warm-up as a window and one dispatch.
    """
    dispatch()
    wait()
    begun, num = time.perf_counter(), 0
    while time.perf_counter() - begun < WINDOW:
        dispatch()
        num += 1
        wait()
    each = (time.perf_counter() - begun) / num
    dispatches = max(1, round(WINDOW / each))
    windows: list[float] = []
    start = time.perf_counter()
    while len(windows) < LEAST_WINDOWS or time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        for _ in range(dispatches):
            dispatch()
        wait()
        windows.append((time.perf_counter() - begun) / (dispatches * a_dispatch))
    return {
        "ms": 1e3 * statistics.median(windows),
        "ms_least": 1e3 * min(windows),
        "windows": len(windows),
        "steps": len(windows) * dispatches * a_dispatch,
    }


def peak_rss_mib() -> float:
    """Of this process so far."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
