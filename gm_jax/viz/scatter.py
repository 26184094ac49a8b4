"""Points in the plane, or on a line, as a picture."""

from typing import Any

import numpy as np

from gm_jax.viz.style import styled_plots

_INCHES, _DPI = 4.5, 100
_MARGIN = 0.25  # of the real points' extent, on each side


def scatter_picture(points: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Points over real ones in grey; where there is one dimension only, both as histograms.

    The axes follow from `real` alone, so that pictures of one run can be laid over each other. How
    many points lie outside of them is written above.

    Args:
      points: [N, D].
      real: [M, D]; of more than two dimensions the first two are drawn.

    Returns:
      uint8 [450, 450, 3].

    Raises:
      ValueError: where the shapes are not [N, D] and [M, D] with M and D at least 1.
    """
    if points.ndim != 2 or real.size == 0 or points.shape[1:] != real.shape[1:]:
        raise ValueError(f"points [N, D] and [M, D] are needed, not {points.shape}, {real.shape}")
    points, real = (x[:, :2].astype(np.float64) for x in (points, real))
    low, high = axis_limits(real)
    outside = int((~((points >= low) & (points <= high)).all(1)).sum())  # NaN is outside too
    with styled_plots() as theme:
        figure, axes = square_figure()
        axes.set_title(f"{len(points):,} points, {outside:,} outside", fontsize=9)
        axes.set_xlim(low[0], high[0])
        if points.shape[1] == 1:
            bins = np.linspace(low[0], high[0], 101).tolist()
            axes.hist(real[:, 0], bins, density=True, color=theme.real)
            within = points[(points >= low) & (points <= high)]
            axes.hist(within, bins, density=True, histtype="step", color=theme.series[0])
        else:
            axes.set_ylim(low[1], high[1])
            axes.set_aspect("equal")
            axes.scatter(real[:, 0], real[:, 1], s=14, color=theme.real, linewidths=0)
            color = theme.series[0]
            axes.scatter(points[:, 0], points[:, 1], s=5, color=color, alpha=0.5, linewidths=0)
        return figure_pixels(figure)


def square_figure() -> tuple[Any, Any]:
    """An empty figure of 450 x 450 pixels, and its axes.

    Without pyplot: no global state, no backend to choose, nothing to close.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, _INCHES), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.grid(False)
    return figure, axes


def figure_pixels(figure: Any) -> np.ndarray:
    """What a figure looks like, uint8 [H, W, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba(), np.uint8)[..., :3]


def axis_limits(real: np.ndarray, one_length: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of the axes, [D] each, all of one length or each of its own."""
    low, high = real.min(0), real.max(0)
    half = (0.5 + _MARGIN) * (high - low)
    half = np.where(half > 0, half, 1.0) if not one_length else float(half.max()) or 1.0
    middle = (low + high) / 2
    return middle - half, middle + half
