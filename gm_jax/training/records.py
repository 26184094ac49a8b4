"""metrics.jsonl, one JSON object a line."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from gm_jax.whole_file import write_text

METRICS = "metrics.jsonl"


def read_records(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; one that a kill cut short, and all after it, are left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def by_phase(records: list[dict[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """The lines as arrays: by phase "step" int64 [N], and by name figures float64 [N].

    What is not in a line is NaN.
    """
    phases: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        phases.setdefault(record["phase"], []).append(record)
    found: dict[str, dict[str, np.ndarray]] = {}
    for phase, lines in phases.items():
        names = dict.fromkeys(name for line in lines for name in line)
        found[phase] = {"step": np.array([line["step"] for line in lines], np.int64)}
        for name in [n for n in names if n not in ("step", "phase", "time")]:
            found[phase][name] = np.array([float(line.get(name, "nan")) for line in lines])
    return found


def cpu_seconds(records: Sequence[Mapping[str, Any]]) -> float:
    """Processor time that a record tells of, all parts of a run that was resumed together."""
    total, last = 0.0, 0.0
    for record in records:
        now = record["time"].get("cpu_seconds", 0.0)  # none in early records
        if now < last:  # another process went on, and counts from its own start
            total += last
        last = now
    return total + last


class Records:
    """Appends to the record of a run. A context manager.

    Each line is {"step", "phase", the figures..., "time": {"seconds", "cpu_seconds"}}, both counted
    from when the record was opened; CPU time is the whole process's, user and system, on all cores.
    A figure that is not finite is a string, so that every line is JSON. Only "time" differs between
    two runs of one experiment.
    """

    def __init__(self, folder: Path, resume_step: int | None = None):
        """Opens the record.

        Args:
          folder: of the run; it must exist.
          resume_step: lines of later steps, and test figures, are dropped first, so that
            a resumed run leaves the record of a straight one. None: only adds.
        """
        self.path = folder / METRICS
        self._start, self._cpu_start = time.monotonic(), time.process_time()
        _mend(self.path, resume_step)
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

    def write(self, step: int, phase: str, figures: dict[str, float]) -> None:
        """Adds a line."""
        values = {name: float(v) for name, v in figures.items()}
        plain = {name: v if math.isfinite(v) else str(v) for name, v in values.items()}
        spent = {
            "seconds": round(time.monotonic() - self._start, 3),
            "cpu_seconds": round(time.process_time() - self._cpu_start, 3),
        }
        line = {"step": step, "phase": phase, **plain, "time": spent}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _mend(path: Path, last_step: int | None) -> None:
    """Keeps the whole lines up to a step (None: all of them); itself done wholly or not at all."""
    if not path.exists():
        return
    kept = read_records(path)
    if last_step is not None:
        kept = [r for r in kept if r["step"] <= last_step and r["phase"] != "test"]
    text = "".join(json.dumps(r) + "\n" for r in kept)
    if text == path.read_text():
        return
    write_text(path, text)
