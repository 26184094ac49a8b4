"""Loss and figures against steps, from metrics.jsonl."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gm_jax.viz.style import Theme, styled_plots
from gm_jax.whole_file import replacing

_STYLES = {"train": "-", "valid": ".--", "test": "*"}
_PHASES = [*_STYLES]  # in the order of their colors
_MARKER = "o"  # of any other phase, and of a line of one point
_GROUPS = ("losses", "figures", "gradient norms")
_COLUMNS = 4  # of panels
_GRADIENTS = "grad_norm"
# Figures that training reports too, but which are no part of a loss.
_FIGURES = ("bits_per_dim", "accuracy", "error", "mse", "mae", "psnr", "ssim", "bce")


def plot_curves(records: Sequence[Path], out: Path) -> None:
    """One panel a figure: losses and their parts, then figures, then the norms of gradients.

    Of one run each phase has its color: training as lines, validation dashed with dots, tests as
    stars. Of several runs each has its color. Values that are not finite are left out.

    Args:
      records: metrics.jsonl of one run or more.
      out: the PNG to write.

    Raises:
      OSError: where a record or the folder of `out` is missing.
    """
    # Without pyplot: no global state, no backend to choose, nothing to close.
    from matplotlib.figure import Figure

    series = _series(records)
    groups = {title: panels for title, panels in _groups(series).items() if panels}
    rows = [-(-len(panels) // _COLUMNS) for panels in groups.values()]
    columns = min(_COLUMNS, max((len(panels) for panels in groups.values()), default=1))
    labels = _run_labels(records)
    last = max((p[-1][0] for lines in series.values() for p in lines.values()), default=1)
    with styled_plots() as theme:
        figure = Figure(figsize=(3.6 * columns, 0.3 + 2.7 * sum(rows)), layout="constrained")
        parts: Any = []
        if rows:
            parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=rows)[:, 0]
        for (title, panels), part in zip(groups.items(), parts, strict=True):
            part.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
            axes = part.subplots(-(-len(panels) // columns), columns, squeeze=False)
            for axis, (name, names) in zip(axes.flat, panels.items(), strict=False):
                _draw(axis, {n: series[n] for n in names}, labels, theme)
                axis.set(title=name, xlabel="step", xlim=(0, 1.04 * max(1, last)))
            for axis in axes.flat[len(panels) :]:
                axis.set_visible(False)
        with replacing(out) as aside:
            figure.savefig(aside, dpi=110, format="png")


_Points = dict[tuple[int, str], list[tuple[int, float]]]  # by run and phase: step, value


def _draw(axis: Any, series: dict[str, _Points], labels: Sequence[str], theme: Theme) -> None:
    """The lines of one panel."""
    several = len(labels) > 1
    for place, (name, lines) in enumerate(series.items()):
        for run, phase in sorted(lines, key=lambda line: (line[0], _order(line[1]), line[1])):
            points = lines[run, phase]
            number = (run if several else _order(phase)) + place  # of figures that share a panel
            style = _STYLES.get(phase, _MARKER) if len(points) > 1 or phase == "test" else _MARKER
            axis.plot(
                *zip(*points, strict=True),
                style,
                color=theme.series[number % len(theme.series)],
                markersize={"*": 11, ".--": 6}.get(style, 5),
                label=" ".join([labels[run]] * several + [phase] + [name] * (len(series) > 1)),
            )
    axis.legend()


def _order(phase: str) -> int:
    return _PHASES.index(phase) if phase in _PHASES else len(_PHASES)


def _groups(series: dict[str, _Points]) -> dict[str, dict[str, list[str]]]:
    """Panels by the title of their group: titles of panels, and the names in each."""
    groups: dict[str, dict[str, list[str]]] = {title: {} for title in _GROUPS}
    losses, figures, gradients = groups.values()
    # The loss itself first.
    for name in sorted(series, key=lambda name: (name != "loss", "loss" not in name, name)):
        if name.endswith(_GRADIENTS):
            gradients.setdefault("norms" if name != _GRADIENTS else "norm", []).append(name)
        elif name not in _FIGURES and any(phase == "train" for _, phase in series[name]):
            losses[name] = [name]
        else:
            figures[name] = [name]
    return groups


def _series(records: Sequence[Path]) -> dict[str, _Points]:
    series: dict[str, _Points] = {}
    for run, path in enumerate(records):
        for record in _lines(path):
            step, phase = record.pop("step"), record.pop("phase")
            record.pop("n", None)  # the number of examples is no figure
            for name, value in record.items():
                if isinstance(value, int | float):  # neither {"seconds"} nor the string "nan"
                    points = series.setdefault(name, {}).setdefault((run, phase), [])
                    points.append((step, value))
    return series


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return  # cut short by a kill, or being written just now


def _run_labels(records: Sequence[Path]) -> list[str]:
    """The runs' folders without what all of them have in front: "vae/1" and "vae/2"."""
    folders = [path.absolute().parent.parts for path in records]
    shared = 0
    while len({parts[: shared + 1] for parts in folders}) == 1 and shared < len(folders[0]) - 1:
        shared += 1
    return ["/".join(parts[shared:]) or parts[-1] for parts in folders]
