"""metrics.jsonl, one JSON object a line."""

import itertools
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from gm_jax.evaluation.figure import Figure
from gm_jax.whole_file import write_text

METRICS = "metrics.jsonl"

_NO_FIGURES = ("step", "phase", "time", "stderr", "kinds", "n")  # what else a line has


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
        for name in [n for n in names if n not in _NO_FIGURES]:
            found[phase][name] = np.array([float(line.get(name, "nan")) for line in lines])
    return found


class Spent(NamedTuple):
    """What the parts of a run took together, as far as their lines tell.

    Attributes:
      seconds: by the clock.
      cpu_seconds: on all cores, user and system.
      peak_mib: the most memory that a part had resident; None where no line says.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: int | None


def spent(records: Sequence[Mapping[str, Any]]) -> Spent:
    """Sums the last lines of all parts of a record."""
    times = [record["time"] for record in records]
    last = [t for t, after in itertools.pairwise([*times, None]) if t and _ends(t, after)]
    return Spent(
        sum(time.get("seconds", 0.0) for time in last),
        sum(time.get("cpu_seconds", 0.0) for time in last),  # none in early records
        max((time["peak_mib"] for time in times if "peak_mib" in time), default=None),
    )


def _ends(time: Mapping[str, Any], after: Mapping[str, Any] | None) -> bool:
    """Whether a line is the last of its part: what follows counts from its own start."""
    if after is None or after.get("part") != time.get("part"):
        return True
    return any(after.get(c, 0.0) < time.get(c, 0.0) for c in ("seconds", "cpu_seconds"))


class Records:
    """Appends to the record of a run. A context manager.

    Each line is {"step", "phase", the figures..., "time": {"seconds", "cpu_seconds", "part",
    "peak_mib"}}. Seconds are counted from when the record was opened, each time a new part of it;
    CPU time is the whole process's, user and system, on all cores, and so is the most memory it had
    resident so far. A figure that is not finite is a string, so that every line is JSON. Figures of
    a split have "stderr" and "kinds" (not in early records), by their names, and "n" too. Only
    "time" differs between two runs of one experiment.
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
        parts = [record.get("time", {}).get("part", 0) for record in read_records(self.path)]
        self._part = max(parts, default=-1) + 1
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

    def write(self, step: int, phase: str, figures: Mapping[str, float]) -> None:
        """Adds a line."""
        self._write(step, phase, figures, {})

    def write_split(self, step: int, phase: str, figures: Mapping[str, Figure]) -> None:
        """As `write`, with what is known of figures over a split."""
        about = {
            "stderr": {name: _plain(f.stderr) for name, f in figures.items()},
            "kinds": {name: f.kind for name, f in figures.items()},
            "n": min(f.n for f in figures.values()),
        }
        self._write(step, phase, {name: f.value for name, f in figures.items()}, about)

    def _write(
        self, step: int, phase: str, figures: Mapping[str, float], about: dict[str, Any]
    ) -> None:
        values = {name: float(v) for name, v in figures.items()}
        plain = {name: _plain(v) for name, v in values.items()}
        spent = {
            "seconds": round(time.monotonic() - self._start, 3),
            "cpu_seconds": round(time.process_time() - self._cpu_start, 3),
            "part": self._part,
            "peak_mib": _peak_mib(),
        }
        line = {"step": step, "phase": phase, **plain, **about, "time": spent}
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


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _peak_mib() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)
