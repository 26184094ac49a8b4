"""Power spectra by lead time: one panel a lead time, one line a method, the truth among them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gm_jax.viz.strips import spoken_time
from gm_jax.viz.style import styled_plots
from gm_jax.whole_file import replacing

_PANELS = 6  # of more lead times some are shown, evenly spread
_COLUMNS = 3
_LEAST = 1e-9  # of the largest power: what is less is not drawn


def plot_spectra(
    seconds: Sequence[float], spectra: Mapping[str, np.ndarray], shorter: int, out: Path
) -> None:
    """Draws power against the wavenumber, both as logarithms; whole or not at all.

    The upper third of the wavenumbers, where blur shows, is shaded.

    Args:
      seconds: lead times, [M].
      spectra: power of the wavenumbers 0 .. K - 1 by method, [M, K] each; that of the "truth" is
        drawn thick.
      shorter: side of the frames in pixels; wavenumbers are drawn up to half of it.
      out: a PNG.
    """
    from matplotlib.figure import Figure

    last = shorter // 2
    k = np.arange(1, last + 1)
    shown = np.unique(np.linspace(0, len(seconds) - 1, _PANELS).round().astype(int))
    columns = min(len(shown), _COLUMNS)
    rows = -(-len(shown) // columns)
    drawn = np.stack([power[np.ix_(shown, k)] for power in spectra.values()])
    highest = float(drawn.max()) or 1.0  # of frames that are all of one level
    lowest = min(drawn[drawn > highest * _LEAST], default=highest)
    with styled_plots() as theme, replacing(out) as aside:
        canvas = Figure(figsize=(3.9 * columns, 3.2 * rows), layout="constrained")
        axes = canvas.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        for axis, i in zip(axes, shown, strict=False):
            ink = f"#{theme.ink:02x}{theme.ink:02x}{theme.ink:02x}"
            for method, power in spectra.items():
                style = {"color": ink, "linewidth": 2.2} if method == "truth" else {}
                axis.loglog(k, np.maximum(power[i, k], lowest / 10), label=method, **style)
            axis.axvspan(shorter // 3 + 1, last, color=ink, alpha=0.07, linewidth=0)
            axis.set(title=spoken_time(round(seconds[i])), xlabel="periods over the shorter side")
            axis.set_ylim(lowest / 2, highest * 2)
        axes[0].set_ylabel("power")
        axes[0].legend()
        canvas.savefig(aside, dpi=110, format="png")
