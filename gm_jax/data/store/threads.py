"""Work on many files at once, with a bar."""

import collections
import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

_THREADS = 4


def map_in_threads[Item, Result](
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """As `map`, some items ahead."""
    waiting: collections.deque[Future[Result]] = collections.deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 4 * _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def progress_bar(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows how many images are done where stderr is a terminal; yields what counts one more."""
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
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"preparing {name}", total=total)
        yield lambda: bar.advance(task)
