"""Traces of some steps: what the device does when, to be looked at."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import jax

from gm_jax.errors import UserError
from gm_jax.training.progress import announce

PROFILE = "profile"  # the trace's folder in that of the run


@dataclasses.dataclass(frozen=True)
class Steps:
    """Those from `first` up to and with `last`, counted from 1."""

    first: int
    last: int


def parse_steps(text: str, num_steps: int) -> Steps:
    """The steps of FIRST:LAST.

    Raises:
      UserError: for what is not that, or goes past the last step.
    """
    found = re.fullmatch(r"\s*(\d+)\s*:\s*(\d+)\s*", text)
    if found is None:
        raise UserError(f"steps to trace are FIRST:LAST, e.g. 100:110, not {text!r}", "--profile")
    first, last = map(int, found.groups())
    if not 1 <= first <= last <= num_steps:
        raise UserError(
            f"steps to trace must lie from 1 to {num_steps:,} (training.num_steps), the first not "
            f"after the last; they are {text}",
            "--profile",
        )
    return Steps(first, last)


class Profiler:
    """Traces the dispatches that hold the steps; more than they where a dispatch has several."""

    def __init__(self, steps: Steps | None, folder: Path):
        self._steps, self._folder, self._tracing = steps, folder / PROFILE, False

    def before(self, step: int, size: int) -> None:
        """Before a dispatch of `size` steps, after `step` of them were done."""
        if self._steps is None or self._tracing or step + size < self._steps.first:
            return
        if step < self._steps.last:
            jax.profiler.start_trace(str(self._folder), create_perfetto_trace=True)
            self._tracing = True

    def after(self, step: int, state: object) -> None:
        """After a dispatch that ended with `step`."""
        if self._steps is not None and self._tracing and step >= self._steps.last:
            jax.block_until_ready(state)
            self.close()

    def close(self) -> None:
        """Writes what is being traced."""
        if not self._tracing:
            return
        self._tracing, self._steps = False, None
        jax.profiler.stop_trace()
        trace = max(self._folder.rglob("perfetto_trace.json.gz"), key=lambda p: p.stat().st_mtime)
        announce(f"trace in {trace}: open it at https://ui.perfetto.dev, or its folder with XProf")


@contextlib.contextmanager
def profiling(steps: Steps | None, folder: Path, step: int) -> Iterator[Profiler]:
    """A profiler of a training in `folder` that goes on from `step`, closed however it ends."""
    if steps is not None and step >= steps.last:
        announce(f"nothing is traced: the run is at step {step:,}, past those that were to be")
    profiler = Profiler(steps, folder)
    try:
        yield profiler
    finally:
        profiler.close()
