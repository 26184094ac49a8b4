"""Loss and figures against steps, from metrics.jsonl."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_STYLES = {"train": "-", "valid": ".--", "test": "*"}
_MARKER = "o"  # of any other phase


def plot_curves(records: Sequence[Path], out: Path) -> None:
    """One panel a figure, one color a run; training as lines, validation dashed with dots.

    Figures with a single point (those of a test) get a panel only where nothing else is known.
    Values that are not finite are left out.

    Args:
      records: metrics.jsonl of one run or more.
      out: the PNG to write.

    Raises:
      OSError: where a record or the folder of `out` is missing.
    """
    # Without pyplot: no global state, no backend to choose, nothing to close.
    from matplotlib.figure import Figure

    series = _series(records)
    names = sorted(n for n, lines in series.items() if any(len(p) > 1 for p in lines.values()))
    names = names or sorted(series)
    columns = min(3, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(4.5 * columns, 3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    labels = _run_labels(records)
    for axis, name in zip(axes.flat, names, strict=False):
        for (run, phase), points in sorted(series[name].items()):
            label = phase if len(records) == 1 else f"{labels[run]} {phase}"
            color = f"C{run}" if len(records) > 1 or phase == "train" else None
            style = _STYLES.get(phase, _MARKER)
            axis.plot(*zip(*points, strict=True), style, color=color, label=label)
        axis.set(title=name, xlabel="step")
        axis.legend(fontsize=7)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    figure.savefig(out, dpi=110)


_Points = dict[tuple[int, str], list[tuple[int, float]]]  # by run and phase: step, value


def _series(records: Sequence[Path]) -> dict[str, _Points]:
    series: dict[str, _Points] = {}
    for run, path in enumerate(records):
        for record in _lines(path):
            step, phase = record.pop("step"), record.pop("phase")
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
