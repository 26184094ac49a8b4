"""Forecasts by lead time, beside forecasts that learned nothing: persistence and extrapolation."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gm_jax.data.sequences.checks import known_names
from gm_jax.data.split import Split
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.split import of_seen
from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.extrapolation import linear_extrapolation, persistence
from gm_jax.metrics.csi import Contingency, contingency, critical_success_index, jackknife
from gm_jax.metrics.frames import frame_figures
from gm_jax.model import Family, Forecasts, TrainState, require
from gm_jax.rng import Rngs
from gm_jax.strict_json import finite
from gm_jax.viz.strips import spoken_time

Method = Callable[[Any, Any], jax.Array]
"""(state, batch) -> uint8 levels [B, M, H, W, C]."""

_FIGURES = ("mse", "mae", "psnr", "ssim")


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
        return {"seconds": list(self.seconds), **finite(self.values())}

    def values(self) -> dict[str, dict[str, list[float]]]:
        """The figures' values: {method: {name: [M]}}."""
        return {
            method: {name: [f.value for f in row] for name, row in figures.items()}
            for method, figures in self.figures.items()
        }


def evaluate_lead_times(
    model: Family, state: TrainState, split: Split, batch_size: int
) -> LeadTimes:
    """Means over a split of what the model and the baselines forecast, as levels.

    Args:
      model: of a family that forecasts.
      state: of it.
      split: whose wanted times are asked for.
      batch_size: sequences forecast at once.

    Raises:
      UserError: the family cannot forecast, or the data are no sequences.
    """
    spec = state.spec
    require(model, spec, "forecast")
    assert isinstance(model, Forecasts)

    def learned(state: Any, batch: Any) -> jax.Array:
        known = {name: batch[name] for name in known_names(spec)}
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
            made, true = (to_unit(v, spec.num_levels) for v in (levels, came))
            seen = spec.seen(came)
            counts = contingency(levels, came, spec.thresholds, seen)
            return frame_figures(made, true, seen), counts

        return {name: figures(levels) for name, levels in drawn.items()}

    rows, times = [], []
    for batch in split.eval_batches(batch_size):
        mask = batch.pop("mask")
        rows.append(jax.tree.map(lambda v, mask=mask: np.asarray(v)[mask], scores(state, batch)))
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


def _figure(values: np.ndarray) -> Figure:
    values = of_seen(np.asarray(values, np.float64))
    stderr = float(values.std() / math.sqrt(len(values)))
    return Figure(float(values.mean()), "error", len(values), stderr)
