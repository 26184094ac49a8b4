"""A density on a line or in the plane, over the points it was fitted to."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gm_jax.viz.scatter import axis_limits, figure_pixels, square_figure
from gm_jax.viz.style import Theme, styled_plots

_ON_A_LINE, _A_SIDE = 500, 150
# Of a Gaussian in the plane, what lies within 1, 2 and 3 standard deviations.
_MASSES = 1 - np.exp(-0.5 * np.array([1.0, 2.0, 3.0]) ** 2)


def density_grid(real: np.ndarray, one_length: bool = True) -> np.ndarray:
    """Where to ask for a density: a grid over the axes of a picture of `real` points [M, D].

    Args:
      real: the points.
      one_length: whether both axes are as long, as of a plane; else each follows its own column.

    Returns:
      float32 [500, 1] for D = 1, [150 * 150, 2] row by row for D = 2.

    Raises:
      ValueError: for other shapes, or no points.
    """
    if real.ndim != 2 or len(real) == 0 or real.shape[1] not in (1, 2):
        raise ValueError(f"points [M, 1] or [M, 2] are needed, not {real.shape}")
    low, high = axis_limits(real.astype(np.float64), one_length)
    num = _ON_A_LINE if real.shape[1] == 1 else _A_SIDE
    lines = [np.linspace(a, b, num) for a, b in zip(low, high, strict=True)]
    return np.stack([x.ravel() for x in np.meshgrid(*lines)], -1).astype(np.float32)


def density_picture(
    log_density: np.ndarray,
    real: np.ndarray,
    one_length: bool = True,
    names: Sequence[str] = (),
) -> np.ndarray:
    """A density over real points: a curve over their histogram, or lines of equal density.

    In the plane the lines enclose as much of the mass on the grid as 1, 2 and 3 standard deviations
    of a Gaussian do, which for a Gaussian they are.

    Args:
      log_density: in nats at `density_grid(real, one_length)`, [N].
      real: points [M, 1] or [M, 2].
      one_length: as of the grid.
      names: of the axes.

    Returns:
      uint8 [450, 450, 3].

    Raises:
      ValueError: for other shapes, or no points.
    """
    grid = density_grid(real, one_length)
    if log_density.shape != (len(grid),):
        raise ValueError(f"{len(grid)} log-densities are needed, not {log_density.shape}")
    density = np.exp(np.nan_to_num(log_density.astype(np.float64), nan=-np.inf))
    with styled_plots() as theme:
        figure, axes = square_figure()
        axes.set_xlim(float(grid[0, 0]), float(grid[-1, 0]))
        if real.shape[1] == 1:
            bins = np.linspace(grid[0, 0], grid[-1, 0], 101).tolist()
            axes.hist(real[:, 0], bins, density=True, color=theme.real)
            axes.plot(grid[:, 0], density, color=theme.series[0])
        else:
            if one_length:
                axes.set_aspect("equal")
            _draw_contours(axes, grid, density, real, theme)
        for axis, name in zip("xy", names, strict=False):
            axes.set(**{f"{axis}label": name})
        return figure_pixels(figure)


def _draw_contours(
    axes: Any, grid: np.ndarray, density: np.ndarray, real: np.ndarray, theme: Theme
) -> None:
    axes.set_ylim(float(grid[0, 1]), float(grid[-1, 1]))
    axes.scatter(real[:, 0], real[:, 1], s=14, color=theme.real, linewidths=0)
    levels = _levels(density)
    if len(levels):
        x, y = (grid[:, axis].reshape(_A_SIDE, _A_SIDE) for axis in range(2))
        color = theme.series[0]
        axes.contour(x, y, density.reshape(x.shape), levels, colors=color, linewidths=1.2)


def _levels(density: np.ndarray) -> np.ndarray:
    """Densities above which each of `_MASSES` of the mass on the grid lies, increasing."""
    if not (np.isfinite(density).all() and density.max() > 0):
        return np.zeros(0)
    ordered = np.sort(density)[::-1]
    mass = np.cumsum(ordered) / ordered.sum()
    levels = np.unique(ordered[np.searchsorted(mass, _MASSES).clip(max=len(mass) - 1)])
    return levels[(levels > 0) & (levels < density.max())]
