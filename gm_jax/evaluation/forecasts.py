"""Forecasts by lead time, beside forecasts that learned nothing: persistence and extrapolation."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gm_jax.errors import UserError
from gm_jax.evaluation.split import Figure
from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.extrapolation import linear_extrapolation, persistence
from gm_jax.metrics.csi import Contingency, contingency, critical_success_index, jackknife
from gm_jax.metrics.frames import frame_figures
from gm_jax.model import Forecasts
from gm_jax.rng import Rngs
from gm_jax.run import Run
from gm_jax.strict_json import finite
from gm_jax.viz.strips import spoken_time
from gm_jax.whole_file import replacing

Method = Callable[[Any, Any], jax.Array]
"""(state, batch) -> uint8 levels [B, M, H, W, C]."""

_ERRORS = ("mse", "mae")
_FIGURES = (*_ERRORS, "psnr", "ssim")
_COLUMNS = 5  # of panels in a plot


@dataclasses.dataclass(frozen=True)
class LeadTimes:
    """Figures of several methods on one split.

    Attributes:
      seconds: mean lead time of each wanted frame, [M].
      figures: by method ("model", "persistence", "extrapolation"), then by name (mse, mae, psnr,
        ssim, and csi_16 for a threshold of 16), one for each lead time. A critical success index
        of what is neither forecast nor true anywhere is NaN.
    """

    seconds: tuple[float, ...]
    figures: dict[str, dict[str, tuple[Figure, ...]]]

    def table(self) -> list[str]:
        """Lines of text: a block for each figure, a row for each method, a column a lead time."""
        times = "".join(f"{spoken_time(round(s)):>14}" for s in self.seconds)
        lines = []
        for name in next(iter(self.figures.values())):
            lines.append(f"{name:<15}{times}")
            for method, figures in self.figures.items():
                values = "".join(f"{f.value:14.4f}" for f in figures[name])
                lines.append(f"  {method:<13}{values}")
        return lines

    def plain(self) -> dict[str, Any]:
        """For JSON: {"seconds": [M], method: {name: [M]}}, with None for what is not finite."""
        values = {
            method: {name: [f.value for f in row] for name, row in figures.items()}
            for method, figures in self.figures.items()
        }
        return {"seconds": list(self.seconds), **finite(values)}


def evaluate_lead_times(run: Run, split: str = "test") -> LeadTimes:
    """Means over a split of what the model and the baselines forecast, as levels.

    Args:
      run: of a family that forecasts.
      split: whose wanted times are asked for.

    Raises:
      UserError: the family cannot forecast, or the data are no sequences.
    """
    model, spec = run.model, run.spec
    if not isinstance(model, Forecasts) or not spec.is_sequence:
        raise UserError(f"{type(model).__name__} can't forecast: the family has no such part")

    def learned(state: Any, batch: Any) -> jax.Array:
        known = {name: batch[name] for name in ("context", "context_time")}
        return model.forecast(state, Rngs(state.key).at("eval", "forecast"), known, batch["time"])

    def extrapolated(state: Any, batch: Any) -> jax.Array:
        frames = to_unit(batch["context"], spec.num_levels)
        moved = linear_extrapolation(frames, batch["context_time"], batch["time"])
        return from_unit(moved, spec.num_levels)

    methods: dict[str, Method] = {
        "model": learned,
        "persistence": lambda state, batch: persistence(batch["context"], batch["time"]),
        "extrapolation": extrapolated,
    }

    @jax.jit
    def scores(state: Any, batch: Any) -> dict[str, Any]:
        came = batch["image"]
        drawn = {name: method(state, batch) for name, method in methods.items()}

        def figures(levels: jax.Array) -> tuple[dict[str, jax.Array], Contingency]:
            units = (to_unit(v, spec.num_levels) for v in (levels, came))
            return frame_figures(*units), contingency(levels, came, spec.thresholds)

        return {name: figures(levels) for name, levels in drawn.items()}

    data = run.experiment.data.open(split, run.experiment.seed)
    size = run.experiment.evaluation.batch_size
    rows, times = [], []
    for batch in data.eval_batches(size):
        mask = batch.pop("mask")
        rows.append(
            jax.tree.map(lambda v, mask=mask: np.asarray(v)[mask], scores(run.state, batch))
        )
        times.append(batch["time"][mask])
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), *rows)
    figures = {}
    for method in methods:
        means, counts = joined[method]
        own = {n: tuple(map(_figure, means[n].T)) for n in _FIGURES if n in means}
        indices = critical_success_index(counts).T  # [K, M]
        spread = jackknife(counts).T
        for threshold, values, errors in zip(spec.thresholds, indices, spread, strict=True):
            n = len(counts.hits)
            own[f"csi_{threshold}"] = tuple(
                Figure(float(v), "estimate", n, float(e))
                for v, e in zip(values, errors, strict=True)
            )
        figures[method] = own
    return LeadTimes(tuple(np.concatenate(times).mean(0).tolist()), figures)


def plot_lead_times(result: LeadTimes, out: Path) -> None:
    """One panel a figure, one line a method, against the lead time; whole or not at all."""
    from matplotlib.figure import Figure as Canvas

    names = list(next(iter(result.figures.values())))
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    canvas = Canvas(figsize=(3.6 * columns, 3 * rows), layout="constrained")
    axes = canvas.subplots(rows, columns, squeeze=False).ravel()
    minutes = max(result.seconds) > 120
    x = [s / 60 for s in result.seconds] if minutes else list(result.seconds)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes, names, strict=False):
        for method, figures in result.figures.items():
            axis.plot(x, [f.value for f in figures[name]], "o-", label=method)
        better = "smaller" if name in _ERRORS else "larger"
        axis.set(title=f"{name} ({better} is better)", xlabel=f"{'minutes' if minutes else 's'}")
    axes[0].legend(fontsize=8)
    with replacing(out) as aside:
        canvas.savefig(aside, dpi=110, format="png")


def _figure(values: np.ndarray) -> Figure:
    values = np.asarray(values, np.float64)
    stderr = float(values.std() / math.sqrt(len(values)))
    return Figure(float(values.mean()), "error", len(values), stderr)
