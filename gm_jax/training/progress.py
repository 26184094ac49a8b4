"""Progress: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

_LEAST_BAR, _MOST_BAR = 10, 40  # characters of the bar; none is drawn where there are fewer
_MOST_SILENT = 60.0  # seconds that lines may go without one, where steps are slow


class Bar(Protocol):
    """What the loop tells of its progress."""

    def advance(self, to_step: int, metrics: Mapping[str, float]) -> None:
        """The step reached, and the latest headline figures."""
        ...

    def print(self, line: str) -> None:
        """A line above the bar."""
        ...


def describe(metrics: Mapping[str, float]) -> str:
    """Figures in a few characters: "loss 1.234 · valid loss 1.301"."""
    # Large ones with a tenth: an image's −ELBO may be thousands of nats, and training moves it by 1
    form = {True: ".1f", False: ".4g"}
    return " · ".join(f"{n} {v:{form[1e3 <= abs(v) < 1e6]}}" for n, v in metrics.items())


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def pace(rate: float, unit: str) -> str:
    """A rate in 1/s, in words: "3.0 steps/s", or "12.5 s/step" where it is less than one."""
    return f"{rate:.1f} {unit}s/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s/{unit}"


def announce(line: str) -> None:
    """A line of its own, before there is a bar."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _RichBar:
    def __init__(self, progress: Any, task: Any):
        self._progress, self._task = progress, task

    def advance(self, to_step: int, metrics: Mapping[str, float]) -> None:
        self._progress.update(self._task, completed=to_step, figures=dict(metrics))

    def print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False)


class _PlainLines:
    """A line for each new set of figures, but no more than one a second, and one at the end.

    Where figures are rarer than once a minute, a step that ends after a minute has a line too.
    """

    def __init__(self, num_steps: int, start_step: int, description: str, unit: str):
        self._num_steps, self._description, self._unit = num_steps, description, unit
        self._counted_from = (start_step, time.monotonic())
        self._has_compiled = False
        self._last_time, self._last_metrics = self._counted_from[1], dict[str, float]()

    def advance(self, to_step: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        start, began = self._counted_from
        if not self._has_compiled:  # which is no part of the time of the steps that follow
            self._has_compiled, self._counted_from = True, (to_step, now)
        least = _MOST_SILENT if dict(metrics) == self._last_metrics else 1.0
        if to_step < self._num_steps and now - self._last_time < least:
            return
        self._last_time, self._last_metrics = now, dict(metrics)
        rate = (to_step - start) / max(now - began, 1e-9)
        left = (self._num_steps - to_step) / max(rate, 1e-9)
        parts = [
            f"{self._description} {self._unit} {to_step:,}/{self._num_steps:,}",
            pace(rate, self._unit),
            *([describe(metrics)] if metrics else []),
            f"{clock(left)} left",
        ]
        self.print(" · ".join(parts))

    def print(self, line: str) -> None:
        announce(line)


@contextmanager
def progress(
    num_steps: int,
    start_step: int,
    description: str,
    console: Any = None,
    unit: str = "step",
) -> Iterator[Bar]:
    """Shows steps done, steps/s, headline figures and time left.

    Args:
      num_steps: at which step it ends.
      start_step: where it starts (a resumed run's is not 0).
      description: what is being trained.
      console: a rich Console to draw a bar on; None: a bar where stdout is a terminal, else lines.
      unit: what is counted, in the singular.
    """
    if console is None and not sys.stdout.isatty():
        yield _PlainLines(num_steps, start_step, description, unit)
        return
    from rich.progress import Progress, ProgressColumn
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    class Line(ProgressColumn):
        def render(self, task: Any) -> Table:
            left = "-:--" if task.time_remaining is None else clock(task.time_remaining)
            parts = fitted(
                task.description,
                f"{task.completed:.0f}/{task.total:.0f}",
                pace(task.speed, unit) if task.speed else "compiling",
                task.fields["figures"],
                left,
                bar.console.width,
            )
            room = bar.console.width - len(" ".join(parts)) - 1
            line = Table.grid(padding=(0, 1))
            if room < _LEAST_BAR:
                line.add_row(Text(" ".join(parts), no_wrap=True, overflow="crop"))
            else:
                drawn = ProgressBar(task.total, task.completed, width=min(room, _MOST_BAR))
                line.add_row(Text(parts[0]), drawn, Text(" ".join(parts[1:]), no_wrap=True))
            return line

    with Progress(Line(), console=console) as bar:
        task = bar.add_task(description, total=num_steps, completed=start_step, figures={})
        yield _RichBar(bar, task)


@contextmanager
def unseen() -> Iterator[Bar]:
    """Shows nothing."""

    class Unseen:
        def advance(self, to_step: int, metrics: Mapping[str, float]) -> None:
            pass

        def print(self, line: str) -> None:
            pass

    yield Unseen()


def fitted(
    what: str, steps: str, speed: str, figures: Mapping[str, float], left: str, width: int
) -> list[str]:
    """The parts of a line that fit into `width` characters: the figures give way first."""
    names = list(figures)
    kept = [describe({name: figures[name] for name in names[:n]}) for n in range(len(names), 0, -1)]
    for parts in [
        *([what, steps, speed, shown, left] for shown in kept),
        [what, steps, speed, left],
        [what, steps, left],
    ]:
        if len(" ".join(parts)) <= width:
            return parts
    return [steps, left]
