"""Points of several columns as a picture: each pair of columns, and each column by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gm_jax.viz.scatter import axis_limits, figure_pixels
from gm_jax.viz.style import Theme, styled_plots

MOST_COLUMNS = 6
"""That are drawn; of more, the first ones."""

_INCHES, _DPI = 1.5, 100
_BINS = 30
_LEAST = 200  # points of a pair
_NAME = 22  # characters of a column's name


def pairs_picture(points: np.ndarray, real: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    """Points over real ones in grey: pairs of columns below the diagonal, histograms on it.

    Each column has an axis of its own, which follows from `real` alone, so that pictures of one run
    can be laid over each other.

    Args:
      points: [N, D].
      real: [M, D]; of more than `MOST_COLUMNS` columns the first ones are drawn.
      names: of the columns; none: their numbers.

    Returns:
      uint8 [150 K, 150 K, 3] for K columns; of a single one [300, 300, 3].

    Raises:
      ValueError: where the shapes are not [N, D] and [M, D] with M and D at least 1.
    """
    from matplotlib.figure import Figure

    if points.ndim != 2 or real.size == 0 or points.shape[1:] != real.shape[1:]:
        raise ValueError(f"points [N, D] and [M, D] are needed, not {points.shape}, {real.shape}")
    names = names or [str(i) for i in range(real.shape[1])]
    points, real = (x[:, :MOST_COLUMNS].astype(np.float64) for x in (points, real))
    num = real.shape[1]
    low, high = axis_limits(real, one_length=False)
    side = max(num, 2) * _INCHES
    with styled_plots() as theme:
        figure = Figure(figsize=(side, side), dpi=_DPI, layout="constrained")
        axes = figure.subplots(num, num, squeeze=False)
        for row in range(num):
            for column in range(num):
                axis = axes[row, column]
                axis.grid(False)
                axis.tick_params(labelsize=6)
                if column > row:
                    axis.set_axis_off()
                    continue
                axis.set_xlim(low[column], high[column])
                if column == row:
                    _draw_histogram(axis, points[:, row], real[:, row], theme)
                else:
                    axis.set_ylim(low[row], high[row])
                    pair = [column, row]
                    _draw_pair(axis, points[:, pair], real[:, pair], theme)
                if column:
                    axis.tick_params(labelleft=False)
                elif row:
                    axis.set_ylabel(_short(names[row]), fontsize=7)
                if row < num - 1:
                    axis.tick_params(labelbottom=False)
                else:
                    axis.set_xlabel(_short(names[column]), fontsize=7)
        return figure_pixels(figure)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _draw_histogram(axis: Any, points: np.ndarray, real: np.ndarray, theme: Theme) -> None:
    left, right = axis.get_xlim()
    bins = np.linspace(left, right, _BINS + 1).tolist()
    axis.set_yticks([])
    axis.hist(real, bins, density=True, color=theme.real)
    within = points[(points >= left) & (points <= right)]
    if len(within):
        axis.hist(within, bins, density=True, histtype="step", color=theme.series[0])


def _draw_pair(axis: Any, points: np.ndarray, real: np.ndarray, theme: Theme) -> None:
    axis.scatter(real[:, 0], real[:, 1], s=8, color=theme.real, linewidths=0)
    points = points[: max(len(real), _LEAST)]  # no more, since they would hide the real ones
    axis.scatter(points[:, 0], points[:, 1], s=2, color=theme.series[0], alpha=0.5, linewidths=0)
