"""TensorBoard events beside the record of a run."""

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm_jax.experiment import Experiment
from gm_jax.training.callbacks import Callback


class TensorBoard(Callback):
    """Figures as phase/name, and pictures, in the folder tensorboard of a run."""

    def __init__(self, purge: bool = True) -> None:
        """With `purge`, events of steps after the one that is begun at are hidden."""
        self._purge = purge
        self._folder = Path()
        self._purge_step: int | None = None
        self._writer: Any = None

    def on_start(self, experiment: Experiment, folder: Path, step: int) -> None:
        """Hides events of later steps, if any: a resumed run leaves those of a straight one."""
        self._folder = folder / "tensorboard"
        self._purge_step = step + 1 if self._purge else None

    def on_figures(self, step: int, phase: str, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            if math.isfinite(value):
                self._events().add_scalar(f"{phase}/{name}", value, step)

    def on_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        self._events().add_image(name, picture, step, dataformats="HWC")

    def on_end(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):  # a full disk: metrics.jsonl has told of it
                self._writer.close()
            self._writer = None

    def _events(self) -> Any:
        if self._writer is None:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=self._purge_step)
        return self._writer
