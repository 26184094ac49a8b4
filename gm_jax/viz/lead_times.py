"""Plots of figures by lead time: one panel a figure, one line a method."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gm_jax.viz.style import styled_plots
from gm_jax.whole_file import replacing

_ERRORS = ("mse", "mae", "crps")
_RATIOS = ("sharpness", "spread_skill")
_COLUMNS = 5  # of panels


def plot_lead_times(
    seconds: Sequence[float], values: Mapping[str, Mapping[str, Sequence[float]]], out: Path
) -> None:
    """Draws figures against the lead time; whole or not at all.

    Args:
      seconds: lead times, [M].
      values: by method, then by the figure's name, [M] each; the first method has all figures.
      out: a PNG.
    """
    from matplotlib.figure import Figure

    names = list(next(iter(values.values())))
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    minutes = max(seconds) > 120
    x = [s / 60 for s in seconds] if minutes else list(seconds)
    with styled_plots(), replacing(out) as aside:
        canvas = Figure(figsize=(3.6 * columns, 3 * rows), layout="constrained")
        axes = canvas.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes[len(names) :]:
            axis.set_axis_off()
        for axis, name in zip(axes, names, strict=False):
            for method, figures in values.items():
                if name in figures:
                    axis.plot(x, figures[name], "o-", label=method)
            better = "smaller is better" if name in _ERRORS else "larger is better"
            if name in _RATIOS:
                better = "1 is best"
                axis.axhline(1.0, color="0.5", linewidth=0.8, linestyle=":")
            axis.set(title=f"{name} ({better})", xlabel="minutes" if minutes else "s")
        axes[0].legend()
        canvas.savefig(aside, dpi=110, format="png")
