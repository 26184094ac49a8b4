"""Who wants to hear of a training: loggers, and whatever else somebody has in mind."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gm_jax.experiment import Experiment
from gm_jax.model import TrainState


class Callback:
    """Derive from it, and say what is done when; what is left out does nothing.

    None of it changes what is learned. An error ends the training, which resumes from its last
    checkpoint.
    """

    def on_start(self, experiment: Experiment, folder: Path, step: int) -> None:
        """Before the first step; `step` is 0, or that from which the run goes on."""

    def on_figures(self, step: int, phase: str, figures: Mapping[str, float]) -> None:
        """A line of the record: means since the last one ("train"), or figures of a split."""

    def on_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Samples, reconstructions and so on, uint8 [H, W, C]."""

    def on_checkpoint(self, step: int, state: TrainState) -> None:
        """A state that is being saved. Its arrays are gone after the next step."""

    def on_end(self) -> None:
        """After the last step, a stop or an error; called wherever `on_start` was."""


class _All(Callback):
    """Several as one."""

    def __init__(self, callbacks: Sequence[Callback]):
        self._callbacks = callbacks

    def on_figures(self, step: int, phase: str, figures: Mapping[str, float]) -> None:
        for callback in self._callbacks:
            callback.on_figures(step, phase, figures)

    def on_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        for callback in self._callbacks:
            callback.on_picture(step, name, picture)

    def on_checkpoint(self, step: int, state: TrainState) -> None:
        for callback in self._callbacks:
            callback.on_checkpoint(step, state)


@contextlib.contextmanager
def listening(
    callbacks: Sequence[Callback], experiment: Experiment, folder: Path, step: int
) -> Iterator[Callback]:
    """Starts callbacks and ends them; yields one that tells all of them what happens between."""
    with contextlib.ExitStack() as stack:
        for callback in callbacks:
            stack.callback(callback.on_end)
            callback.on_start(experiment, folder, step)
        yield _All(callbacks)
