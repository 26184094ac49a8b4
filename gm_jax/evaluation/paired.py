"""Two forecasts of the same examples: which is better, by how much, and how sure that is.

Errors of two forecasts of one example go up and down together: the standard error of their
difference, example by example, is what says whether one is better. Examples of one group (windows
of one storm) are not independent: their deviations are summed before they are squared (Liang &
Zeger 1986, "Longitudinal data analysis using generalized linear models", Biometrika 73).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gm_jax.evaluation.figure import Figure
from gm_jax.viz.strips import spoken_time

if TYPE_CHECKING:
    from gm_jax.model import FigureKind

_SURE = 2.0  # standard errors that a difference must be large


@dataclasses.dataclass(frozen=True)
class Paired:
    """Mean errors of one forecast beside those of another.

    Attributes:
      difference: by lead time, its error less that of the other, [M]; negative where it is better.
      ratio: by lead time, its error over that of the other, [M].
      overall: the ratio of the means over all lead times.
    """

    difference: tuple[Figure, ...]
    ratio: tuple[Figure, ...]
    overall: Figure

    @property
    def better(self) -> tuple[bool, ...]:
        """By lead time, whether it is better by more than two standard errors."""
        return tuple(f.value < 0 and not f.value > -_SURE * f.stderr for f in self.difference)

    def plain(self) -> dict[str, list[float] | float]:
        """For JSON."""
        return {
            "mse_difference": [f.value for f in self.difference],
            "mse_difference_stderr": [f.stderr for f in self.difference],
            "mse_ratio": [f.value for f in self.ratio],
            "mse_ratio_stderr": [f.stderr for f in self.ratio],
            "overall_mse_ratio": self.overall.value,
            "overall_mse_ratio_stderr": self.overall.stderr,
        }


def clustered_stderr(values: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """Standard error of a mean over examples, of which those of one group are dependent.

    Args:
      values: [n, ...]; NaN where there is none, such as of a frame of which nothing was seen.
      groups: the number of each example's group, [n]; None: each is a group of its own, and this is
        the standard deviation over the root of n.

    Returns:
      float64 [...]; NaN where there is one group only, which tells nothing.
    """
    values = np.asarray(values, np.float64)
    there = ~np.isnan(values)
    deviations = np.where(there, values - mean_of(values), 0.0)
    groups = np.arange(len(values)) if groups is None else groups
    numbers, places = np.unique(groups, return_inverse=True)
    sums, counts = np.zeros((2, len(numbers), *values.shape[1:]))
    np.add.at(sums, places, deviations)
    np.add.at(counts, places, there)
    count = (counts > 0).sum(0)
    count = np.where(count < 2, np.nan, count)
    return np.sqrt(count / (count - 1) * (sums**2).sum(0)) / there.sum(0)


def mean_of(values: np.ndarray) -> np.ndarray:
    """The mean of those of values [n, ...] that are not NaN, float64 [...]; NaN where all are."""
    values = np.asarray(values, np.float64)
    there = ~np.isnan(values)
    count = there.sum(0).astype(np.float64)
    return np.where(there, values, 0.0).sum(0) / np.where(count > 0, count, np.nan)


def mean_figures(values: np.ndarray, groups: np.ndarray | None = None) -> tuple[Figure, ...]:
    """The means over examples of values [n, M], one figure for each lead time."""
    values = np.asarray(values, np.float64)
    return figures_of(mean_of(values), clustered_stderr(values, groups), len(values), "error")


def ratio_figures(
    above: np.ndarray, below: np.ndarray, groups: np.ndarray | None
) -> tuple[Figure, ...]:
    """The mean of `above` over that of `below`, both [n, M]; errors to first order."""
    ratio, stderr = ratio_of_means(above, below, groups)
    return figures_of(ratio, stderr, len(above))


def figures_of(
    values: np.ndarray, stderrs: np.ndarray, num: int, kind: "FigureKind" = "estimate"
) -> tuple[Figure, ...]:
    """One figure for each of values [M], of `num` examples."""
    return tuple(
        Figure(float(v), kind, num, float(e)) for v, e in zip(values, stderrs, strict=True)
    )


def ratio_of_means(
    above: np.ndarray, below: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of `above` over that of `below`, [n, ...] each, and its standard error.

    Returns:
      float64 [...] twice; NaN where the mean of `below` is 0.
    """
    a, b = (np.asarray(v, np.float64) for v in (above, below))
    mean = mean_of(b)
    mean = np.where(mean == 0, np.nan, mean)
    ratio = mean_of(a) / mean
    return ratio, clustered_stderr(a - ratio * b, groups) / np.abs(mean)


def compare(errors: np.ndarray, others: np.ndarray, groups: np.ndarray | None) -> Paired:
    """A forecast's errors beside those of another of the same examples.

    Args:
      errors: of each example and lead time, [n, M].
      others: of the other forecast, likewise.
      groups: as `clustered_stderr`.
    """
    own, theirs = (np.nan_to_num(values).sum(1, keepdims=True) for values in (errors, others))
    (overall,) = ratio_figures(own, theirs, groups)
    difference = np.asarray(errors, np.float64) - others
    return Paired(mean_figures(difference, groups), ratio_figures(errors, others, groups), overall)


def recommend(
    seconds: Sequence[float],
    errors: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    groups: np.ndarray | None = None,
    name: str = "this model",
) -> str:
    """Which forecast to use, in one line.

    That is, at each lead time, the baseline with the least mean error, unless the model's is less
    by two paired standard errors. Where there is one group, means alone decide, and it is said.

    Args:
      seconds: lead times, [M].
      errors: of the model, of each example and lead time, [n, M].
      baselines: by name, likewise.
      groups: as `clustered_stderr`.
      name: what the model is called.
    """
    names = list(baselines)
    means = np.stack([mean_of(baselines[b]) for b in names])  # [baselines, M]
    nearest = np.where(np.isnan(means), np.inf, means).argmin(0)
    best = np.stack([baselines[names[i]][:, m] for m, i in enumerate(nearest)], 1)
    paired = compare(errors, best, groups)
    used = [name if better else names[i] for better, i in zip(paired.better, nearest, strict=True)]
    whose = names[nearest[0]] if len(set(nearest)) == 1 else "the better baseline"
    ratio = f"{paired.overall.value:.3f}"
    if np.isfinite(paired.overall.stderr):
        ratio += f" ± {paired.overall.stderr:.3f}"
        doubt = ""
    else:
        doubt = "; these are examples of one sequence, so nobody knows how sure that is"
    if all(paired.better):
        return f"forecast with {name}: MSE {ratio} of {whose}'s, less at every lead time{doubt}"
    where = "at no lead time clearly less" if not any(paired.better) else "over all lead times"
    return f"use {_spans(seconds, used)}: MSE of {name} is {ratio} of {whose}'s, {where}{doubt}"


def _spans(seconds: Sequence[float], used: Sequence[str]) -> str:
    """Names by lead time in words: "this model to +36 min, persistence beyond"."""
    last = [i for i in range(len(used)) if used[i : i + 1] != used[i + 1 : i + 2]]
    if len(last) == 1:
        return used[0]
    parts = [f"{used[i]} to {spoken_time(round(seconds[i]))}" for i in last[:-1]]
    return ", ".join([*parts, f"{used[-1]} beyond"])
