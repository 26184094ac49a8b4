"""Curves of runs, thinned so that a page of them stays small."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_BUCKETS = 400  # of a curve, at most
_LEAST_BUCKETS = 20
_MOST_POINTS = 120_000  # of a page, so that it takes about 2 MB
_DIGITS = 6
_NO_FIGURES = ("step", "n")
# What is looked at first; all others come after, in the order of their names.
_FIRST = (
    *("loss", "bits_per_dim", "neg_elbo", "neg_log_prob", "accuracy", "error", "psnr", "mse"),
    *("discriminator_loss", "generator_loss", "reconstruction", "kl", "ssim", "mae"),
)
_SHOWN = 4  # figures that a page opens with

Curves = dict[str, dict[str, list[list[float | None]]]]
"""By figure and phase: steps, and values; null where a value is not finite."""


def curves_of(runs: Sequence[Iterable[Mapping[str, Any]]]) -> list[Curves]:
    """The curves of runs, from the lines of their metrics.jsonl.

    A long curve keeps the least and the greatest value of each of up to 400 stretches of steps, so
    that no peak is lost.
    """
    found: list[dict[str, dict[str, list[tuple[int, float | None]]]]] = []
    for lines in runs:
        series: dict[str, dict[str, list[tuple[int, float | None]]]] = {}
        for line in lines:
            for name, value in _figures(line):
                series.setdefault(name, {}).setdefault(str(line["phase"]), []).append(
                    (int(line["step"]), value)
                )
        found.append(series)
    num = sum(len(phases) for series in found for phases in series.values())
    buckets = max(_LEAST_BUCKETS, min(_BUCKETS, _MOST_POINTS // (2 * max(1, num))))
    return [
        {
            name: {phase: _columns(thinned(points, buckets)) for phase, points in phases.items()}
            for name, phases in series.items()
        }
        for series in found
    ]


def thinned(
    points: Sequence[tuple[int, float | None]], buckets: int
) -> list[tuple[int, float | None]]:
    """Points in their order: of each bucket the first that is least, and greatest; and both ends.

    Where a bucket has values that are not finite, one of them stays too: the gap is seen.
    """
    if len(points) <= 2 * buckets:
        return list(points)
    kept = {0, len(points) - 1}
    for i in range(buckets):
        bucket = range(i * len(points) // buckets, (i + 1) * len(points) // buckets)
        told = [(value, k) for k in bucket if (value := points[k][1]) is not None]
        kept |= {min(told)[1], max(told, key=lambda v: (v[0], -v[1]))[1]} if told else set()
        kept |= set([k for k in bucket if points[k][1] is None][:1])
    return [points[k] for k in sorted(kept)]


def names_of(curves: Sequence[Curves]) -> list[str]:
    """All figures that have a curve, what is looked at first in front."""
    names = {name for one in curves for name in one}
    return sorted(names, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n))


def shown_first(names: Sequence[str]) -> list[str]:
    """The figures that a page opens with."""
    return list(names[:_SHOWN])


def _figures(line: Mapping[str, Any]) -> Iterable[tuple[str, float | None]]:
    """Numbers of a line; one that is not finite, which is kept as a word, is None."""
    for name, value in line.items():
        if name in (*_NO_FIGURES, "phase") or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            yield name, float(value) if math.isfinite(value) else None
        elif value in ("nan", "inf", "-inf"):
            yield name, None


def _columns(points: Sequence[tuple[int, float | None]]) -> list[list[float | None]]:
    values = [None if v is None else float(f"{v:.{_DIGITS}g}") for _, v in points]
    return [[step for step, _ in points], values]
