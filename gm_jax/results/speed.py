"""How fast a run draws, measured on this machine."""

import contextlib
import json
import statistics
import time
from pathlib import Path
from typing import Any

from gm_jax.evaluation.figure import Figure
from gm_jax.model import can
from gm_jax.run import open_run
from gm_jax.strict_json import to_json
from gm_jax.training.provenance import machine
from gm_jax.whole_file import write_text

_FILE = "speed.json"
_IMAGES = 64  # drawn at a time
_REPEATS = 5  # after one that compiles


def sampling_speed(folder: Path) -> Figure | None:
    """Samples a second: the median of five draws of 64, after one that compiles.

    It is kept in the run's folder, where that can be written to, and taken from there if it was
    measured on such a machine, of the same checkpoint.

    Args:
      folder: of a run.

    Returns:
      The figure; None of a family that draws nothing.

    Raises:
      UserError: where the run can't be opened.
    """
    run = open_run(folder)
    if not can(run.model, run.spec, "sample"):
        return None
    of: dict[str, Any] = {"step": run.step, "num": _IMAGES, "machine": machine()}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((folder / _FILE).read_text())
        if {name: kept[name] for name in of} == of:
            return Figure(float(kept["images_per_second"]), "estimate", _IMAGES)
    run.sample(_IMAGES)
    seconds = []
    for seed in range(_REPEATS):
        began = time.perf_counter()
        run.sample(_IMAGES, seed=seed)
        seconds.append(time.perf_counter() - began)
    speed = _IMAGES / statistics.median(seconds)
    with contextlib.suppress(OSError):  # a folder that can only be read
        write_text(folder / _FILE, to_json({**of, "images_per_second": speed}, indent=1) + "\n")
    return Figure(speed, "estimate", _IMAGES)
