"""Forecasts by lead time, beside forecasts that learned nothing: persistence and extrapolation."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.sequences.checks import known_names
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.paired import (
    Paired,
    compare,
    figures_of,
    mean_figures,
    ratio_figures,
    ratio_of_means,
    recommend,
)
from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.extrapolation import linear_extrapolation, persistence
from gm_jax.metrics.crps import crps
from gm_jax.metrics.csi import Contingency, contingency, critical_success_index, jackknife
from gm_jax.metrics.frames import frame_figures
from gm_jax.metrics.power_spectrum import fine_wavenumbers, radial_power, tapered
from gm_jax.metrics.spread_skill import spread_skill_ratio
from gm_jax.model import Family, TrainState, compiled, require
from gm_jax.rng import Rngs, numpy_generator
from gm_jax.strict_json import finite
from gm_jax.viz.strips import spoken_time

Array = jax.Array

MODEL, ENSEMBLE = "model", "ensemble"
BASELINES = ("persistence", "extrapolation")

_MEANS = ("mse", "mae", "psnr", "ssim", "crps")
_LABELS = {"sharpness": "sharpness (1: truth)", "spread_skill": "spread / error"}


@dataclasses.dataclass(frozen=True)
class LeadTimes:
    """Figures of several methods on one split.

    Attributes:
      seconds: mean lead time of each wanted frame, [M].
      figures: by method ("model", "persistence", "extrapolation"; of several models "ensemble",
        which is their mean, and each by its name), then by name (mse, mae, psnr, ssim, sharpness,
        and csi_16 for a threshold of 16; of several models also crps, and spread_skill of the
        ensemble), one for each lead time. A critical success index of what is neither forecast nor
        true anywhere is NaN.
      against: squared errors of the model, or the ensemble, paired with those of each baseline.
      recommendation: which of them to use, in one line.
      spectra: mean power by wavenumber, [M, K], of each method and of the "truth".
      errors: mean squared error of each example by method, [n, M].
      groups: which examples belong together, [n]; None: all are independent.
    """

    seconds: tuple[float, ...]
    figures: dict[str, dict[str, tuple[Figure, ...]]]
    against: dict[str, Paired] = dataclasses.field(default_factory=dict)
    recommendation: str | None = None
    spectra: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)
    errors: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)
    groups: np.ndarray | None = dataclasses.field(default=None, repr=False)

    @property
    def chief(self) -> str:
        """The method that is held against the baselines: the model, or the ensemble."""
        return next(iter(self.figures))

    def table(self, *only: str) -> list[str]:
        """Lines of text: a block for each figure, a row for each method, a column a lead time.

        Args:
          only: figures to show (default: all).
        """
        times = "".join(f"{spoken_time(round(s)):>16}" for s in self.seconds)
        names = list(dict.fromkeys(n for figures in self.figures.values() for n in figures))
        heads = [_LABELS.get(name, name) for name in only or names]
        wide = 2 + max(len("extrapolation"), *map(len, self.figures), *map(len, heads))
        lines = []
        for name in only or names:
            label = _LABELS.get(name, name)
            if name == "mae" and "crps" not in names:
                label = "mae = crps"  # of a forecast without spread
            lines.append(f"{label:<{wide}}{times}")
            for method, figures in self.figures.items():
                if name in figures:
                    values = "".join(f"{f.value:16.4f}" for f in figures[name])
                    lines.append(f"  {method:<{wide - 2}}{values}")
        if self.against:
            lines.append(f"mse of the {self.chief} over that of")
        for method, paired in self.against.items():
            values = "".join(f"{_spoken(f):>16}" for f in paired.ratio)
            lines.append(f"  {method:<{wide - 2}}{values}")
        return lines

    def plain(self) -> dict[str, Any]:
        """For JSON: {"seconds": [M], method: {name: [M]}}, with None for what is not finite.

        Also "against", by baseline: differences and ratios of mean squared errors with their
        paired standard errors; and "recommendation".
        """
        told: dict[str, Any] = {"seconds": list(self.seconds), **self.values()}
        if self.against:
            told["against"] = {name: paired.plain() for name, paired in self.against.items()}
            told["recommendation"] = self.recommendation
        return dict(finite(told))

    def values(self) -> dict[str, dict[str, list[float]]]:
        """The figures' values: {method: {name: [M]}}."""
        return {
            method: {name: [f.value for f in row] for name, row in figures.items()}
            for method, figures in self.figures.items()
        }


class _Scores(NamedTuple):
    """Of a method's forecasts of examples.

    Attributes:
      means: by name, [n, M] each.
      counts: of pixels at or above thresholds, [n, M, K] each.
      power: by wavenumber, of the members' mean, [n, M, K'].
    """

    means: dict[str, Any]
    counts: Contingency
    power: Any


def evaluate_lead_times(
    members: Mapping[str, tuple[Family, TrainState]],
    split: Split,
    batch_size: int,
    *,
    shuffled: bool = False,
) -> LeadTimes:
    """Means over a split of what models and the baselines forecast, as levels.

    Args:
      members: families that forecast, with states of them, by name. One is called "model"; several
        are an ensemble, and its forecast is their mean.
      split: whose wanted times are asked for.
      batch_size: sequences forecast at once.
      shuffled: tell the methods wanted times of other examples and other lead times, permuted over
        the whole split: what does not look at the times is as good with these.

    Raises:
      UserError: a family cannot forecast, or the data are no sequences.
    """
    for model, state in members.values():
        require(model, state.spec, "forecast")
    spec = next(iter(members.values()))[1].spec
    told = _shuffled_times(split, batch_size) if shuffled else None
    rows: list[dict[str, _Scores]] = []
    times, truths = [], []
    for batch in split.eval_batches(batch_size):
        mask = batch.pop("mask")
        asked = batch if told is None else {**batch, "time": told[batch["index"]]}
        found = {
            name: _scores(levels, batch["image"], spec)
            for name, levels in _drawn(members, asked, spec).items()
        }
        methods = list(found)  # in their order, which a tree of dicts forgets
        rows.append(jax.tree.map(lambda v, mask=mask: np.asarray(v)[mask], found))
        came = batch["image"]
        truths.append(np.asarray(_power(came, spec.seen(came), spec.num_levels))[mask])
        times.append(batch["time"][mask])
    joined: dict[str, _Scores] = jax.tree.map(lambda *parts: np.concatenate(parts), *rows)
    truth, groups = np.concatenate(truths), split.groups
    fine = fine_wavenumbers(*spec.shape[1:3])
    figures = {}
    for method in methods:
        scores = joined[method]
        own = {n: mean_figures(scores.means[n], groups) for n in _MEANS if n in scores.means}
        if len(members) == 1:
            del own["crps"]  # which is the mae of all methods
        elif method == ENSEMBLE:
            own["spread_skill"] = _spread_skill(scores.means, len(members), groups)
        here, there = (power[..., fine].sum(-1) for power in (scores.power, truth))
        own["sharpness"] = ratio_figures(here, there, groups)
        figures[method] = own | _csi(scores.counts, spec.thresholds)
    errors = {method: np.asarray(joined[method].means["mse"]) for method in methods}
    seconds = tuple(np.concatenate(times).mean(0).tolist())
    chief = methods[0]
    baselines = {name: errors[name] for name in BASELINES}
    return LeadTimes(
        seconds,
        figures,
        {name: compare(errors[chief], other, groups) for name, other in baselines.items()},
        recommend(seconds, errors[chief], baselines, groups, f"this {chief}"),
        {"truth": truth.mean(0), **{m: joined[m].power.mean(0) for m in methods}},
        errors,
        groups,
    )


def _drawn(
    members: Mapping[str, tuple[Family, TrainState]], batch: Any, spec: DataSpec
) -> dict[str, Any]:
    """uint8 levels [R, B, M, H, W, C] of each method; R is 1, but for an ensemble."""
    known = {name: batch[name] for name in known_names(spec)}
    each = {
        name: compiled(model, "forecast")(
            state, Rngs(state.key).at("eval", "forecast"), known, batch["time"]
        )[None]
        for name, (model, state) in members.items()
    }
    learned = {MODEL: next(iter(each.values()))}
    if len(each) > 1:
        learned = {ENSEMBLE: jnp.concatenate([*each.values()]), **each}
    still = persistence(batch["context"], batch["time"])
    moved = _extrapolated(known, batch["time"], spec.num_levels)
    return {**learned, **dict(zip(BASELINES, (still[None], moved[None]), strict=True))}


@functools.partial(jax.jit, static_argnums=2)
def _extrapolated(known: Mapping[str, Array], times: Array, num_levels: int) -> Array:
    frames = to_unit(known["context"], num_levels)
    return from_unit(linear_extrapolation(frames, known["context_time"], times), num_levels)


@functools.partial(jax.jit, static_argnums=2)
def _scores(levels: Array, came: Array, spec: DataSpec) -> _Scores:
    """Of members [R, B, M, H, W, C] and of what came, [B, M, H, W, C]."""
    seen = spec.seen(came)
    members, target = (to_unit(v, spec.num_levels) for v in (levels, came))
    means = frame_figures(members.mean(0), target, seen)
    means["crps"] = _mean_of_seen(crps(members, target), seen)
    if len(levels) > 1:
        means["variance"] = _mean_of_seen(members.var(0, ddof=1), seen)
    middle = levels.astype(jnp.float32).mean(0)
    counts = contingency(middle, came, spec.thresholds, seen)
    return _Scores(means, counts, _power(middle, seen, spec.num_levels))


def _mean_of_seen(values: Array, seen: Array | None) -> Array:
    """Of each frame, [B, M, H, W, C] -> [B, M]; NaN where nothing was seen."""
    return values.mean((-3, -2, -1), where=seen)


@functools.partial(jax.jit, static_argnums=2)
def _power(levels: Array, seen: Array | None, num_levels: int) -> Array:
    """[B, M, K']; what was not seen is 0 in forecast and truth."""
    units = to_unit(levels, num_levels)
    return radial_power(tapered(units if seen is None else jnp.where(seen, units, 0.0)))


def _shuffled_times(split: Split, batch_size: int) -> np.ndarray:
    """The wanted times of a split, [n, M], permuted among its examples and lead times."""
    parts = [batch["time"][batch["mask"]] for batch in split.eval_batches(batch_size)]
    times = np.concatenate(parts)
    order = numpy_generator(0, "eval", "shuffled times").permutation(times.size)
    return times.ravel()[order].reshape(times.shape)


def _spread_skill(
    means: Mapping[str, Array], num: int, groups: np.ndarray | None
) -> tuple[Figure, ...]:
    """Of an ensemble of `num` members; its standard error is to first order."""
    variance, error = (np.asarray(means[name]) for name in ("variance", "mse"))
    ratio = spread_skill_ratio(variance, error, num)
    _, of_square = ratio_of_means((num + 1) / num * variance, error, groups)
    return figures_of(ratio, of_square / (2 * np.where(ratio > 0, ratio, np.nan)), len(error))


def _csi(counts: Contingency, thresholds: tuple[int, ...]) -> dict[str, tuple[Figure, ...]]:
    indices, spread = critical_success_index(counts).T, jackknife(counts).T  # [K, M]
    return {
        f"csi_{threshold}": figures_of(values, errors, len(counts.hits))
        for threshold, values, errors in zip(thresholds, indices, spread, strict=True)
    }


def _spoken(figure: Figure) -> str:
    error = f" ± {figure.stderr:.3f}" if np.isfinite(figure.stderr) else ""
    return f"{figure.value:.3f}{error}"
