"""metrics.jsonl, one JSON object a line, and TensorBoard events beside it."""

import json
import math
import os
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

METRICS = "metrics.jsonl"


def read_records(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


class Records:
    """Appends to the record of a run. A context manager.

    Each line is {"step", "phase", the figures..., "time": {"seconds"}}; a figure that is not finite
    is a string, so that every line is JSON. Only "time" differs between two runs of one experiment.
    """

    def __init__(self, folder: Path, resume_step: int | None = None):
        """Opens the record; with `resume_step`, first drops the lines of later steps."""
        self.path = folder / METRICS
        self._start = time.monotonic()
        self._tensorboard_folder = folder / "tensorboard"
        self._writer: Any = None
        if resume_step is not None:
            _cut(self.path, resume_step)
        self._file = self.path.open("a")

    def __enter__(self) -> "Records":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def write(self, step: int, phase: str, figures: dict[str, float]) -> None:
        """Adds a line, and the finite figures to TensorBoard as phase/name."""
        plain = {name: v if math.isfinite(v) else str(v) for name, v in figures.items()}
        seconds = round(time.monotonic() - self._start, 3)
        line = {"step": step, "phase": phase, **plain, "time": {"seconds": seconds}}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        for name, value in figures.items():
            if math.isfinite(value):
                self._events().add_scalar(f"{phase}/{name}", value, step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Adds a picture, uint8 [H, W, C], to TensorBoard."""
        self._events().add_image(name, image, step, dataformats="HWC")

    def _events(self) -> Any:
        if self._writer is None:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self._tensorboard_folder))
        return self._writer


def _cut(path: Path, last_step: int) -> None:
    """Keeps the lines up to a step, whole or not at all."""
    records = read_records(path)
    kept = [r for r in records if r["step"] <= last_step and r["phase"] != "test"]
    if not path.exists() or len(kept) == len(path.read_text().splitlines()):
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.writelines(json.dumps(r) + "\n" for r in kept)
    os.replace(file.name, path)
