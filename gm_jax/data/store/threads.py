"""Work on many files at once, with a bar."""

import collections
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

# Where files are slow to come, more than there are cores; each may hold an image of any size.
_LEAST, _MOST = 4, 16
_SECONDS = 30.0  # between two lines of a progress that is not shown as a bar


def map_in_threads[Item, Result](
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """As `map`, some items ahead; where it is left early, what has not begun is dropped."""
    waiting: collections.deque[Future[Result]] = collections.deque()
    num = num_threads()
    with ThreadPoolExecutor(num) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 4 * num:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def num_threads() -> int:
    """How many work at once: one for each core that this process may use, within bounds."""
    affinity = getattr(os, "sched_getaffinity", None)  # of Linux
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(max(cores, _LEAST), _MOST)


class _Lines:
    """Counts, and says so now and then."""

    def __init__(self, title: str, total: int, done: int):
        self._title, self._total, self._done = title, total, done
        self._next = time.monotonic() + _SECONDS

    def __call__(self, num: int) -> None:
        self._done += num
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            sys.stderr.write(f"{self._title}: {self._done:,} of {self._total:,}\n")
            sys.stderr.flush()


@contextlib.contextmanager
def progress_bar(
    name: str, total: int, done: int = 0, verb: str = "preparing"
) -> Iterator[Callable[[int], None]]:
    """Shows how many images are done; where stderr is no terminal, in a line every half a minute.

    Args:
      name: of what they lie in.
      total: how many there are.
      done: how many were done before.
      verb: what is done to them.

    Yields:
      What counts some more.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeLeft(compact=True),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(f"{verb} {name}", total, done)
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{verb} {name}", total=total, completed=done)
        yield lambda num: bar.advance(task, num)
