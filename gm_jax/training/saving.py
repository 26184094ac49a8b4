"""Checkpoints as they are written: aside, with their digests, then renamed. The best are kept."""

import concurrent.futures
import json
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from gm_jax.model import TrainState
from gm_jax.training.checkpoint import (
    FIGURE,
    MONITOR,
    PENDING,
    STATE,
    Checkpoints,
    Rows,
    with_key_data,
)
from gm_jax.training.digests import write_digests
from gm_jax.training.processes import first, leads, meet, several
from gm_jax.training.quiet import hushed

# Of what was not finished: hidden, so that nothing takes it for a checkpoint.
_SAVING, _REMOVING = ".saving", ".removing"
# The same of runs of before.
_OLDER = ".orbax-checkpoint-tmp"


class Saver:
    """Writes checkpoints in a thread, for the one process that trains in the folder.

    Of several that train together each writes its parts of the arrays, and the first does the rest.

    A checkpoint is written under another name, digests last, and renamed: a kill at any moment
    leaves it whole and verified, or not at all. One that is no longer kept is renamed before it is
    removed. So readers need no lock.
    """

    def __init__(self, checkpoints: Checkpoints, keep_latest: int = 1):
        """Keeps `keep_latest` checkpoints (at least 2, to have one to go back to), and the best."""
        self.checkpoints = checkpoints
        self._folder = checkpoints.folder
        self._keep_latest = max(2, keep_latest)
        self._started: concurrent.futures.Future[None] | None = None
        self._hush = hushed()

    def __enter__(self) -> "Saver":
        self._hush.__enter__()
        first(self._tidy)
        self._orbax = ocp.StandardCheckpointer()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoint")
        return self

    def __exit__(self, *failure: Any) -> None:
        if several() and failure[0] is not None:  # others may be gone, and are not waited for
            self._thread.shutdown(wait=False, cancel_futures=True)
            return
        try:
            self.wait()
        finally:
            self._thread.shutdown()
            self._orbax.close()
            self._hush.__exit__(*failure)

    def _tidy(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():  # left by a kill
            if path.name.endswith((_SAVING, _REMOVING)) or _OLDER in path.name:
                shutil.rmtree(path)

    def save(
        self, state: TrainState, monitored: float | None = None, pending: Rows | None = None
    ) -> None:
        """Starts to save; a second save waits for the first. Saving a step twice does nothing.

        Args:
          state: copied before this returns, so that its buffers may be donated.
          monitored: the figure that picks the best checkpoint.
          pending: metrics of steps that no line of the record tells of yet.
        """
        self.wait()
        step = int(state.step)
        if step in self.checkpoints.steps():
            return
        aside = self._folder / f".{step}{_SAVING}"
        if leads():
            aside.mkdir()
        plain = jax.tree.map(jnp.copy, with_key_data(state))
        self._orbax.save((aside / STATE).resolve(), plain)
        files: dict[str, Any] = {}
        if monitored is not None:
            files[FIGURE] = {MONITOR: monitored}
        if pending:
            files[PENDING] = pending
        self._started = self._thread.submit(self._commit, aside, self._folder / str(step), files)

    def wait(self) -> None:
        """Blocks until everything started is on disk; raises what went wrong."""
        started, self._started = self._started, None
        if started is not None:
            started.result()
            meet()

    def put_aside(self, step: int) -> Path:
        """Takes a damaged checkpoint out of the way, and returns where it lies now."""
        aside = self._folder / f"{step}.damaged"

        def move() -> None:
            shutil.rmtree(aside, ignore_errors=True)
            (self._folder / str(step)).rename(aside)

        first(move)
        return aside

    def _commit(self, aside: Path, final: Path, files: dict[str, Any]) -> None:
        self._orbax.wait_until_finished()
        if not leads():
            return
        for name, content in files.items():
            path = aside / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        write_digests(aside)
        aside.rename(final)
        kept = {self.checkpoints.best(), *self.checkpoints.steps()[-self._keep_latest :]}
        for step in self.checkpoints.steps():
            if step not in kept:
                going = self._folder / f".{step}{_REMOVING}"
                shutil.rmtree((self._folder / str(step)).rename(going))
