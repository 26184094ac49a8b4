"""Loss and figures against steps, from metrics.jsonl."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path


def plot_curves(records: Sequence[Path], out: Path) -> None:
    """One panel a figure; training as lines, validation as dashed lines with dots.

    Args:
      records: metrics.jsonl of one run or more; a run is named after its folder.
      out: the PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    series: dict[str, dict[tuple[str, str], list[tuple[int, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for path in records:
        for line in path.read_text().splitlines():
            record = json.loads(line)
            for name, value in record.items():
                if name not in ("step", "phase", "time") and isinstance(value, int | float):
                    key = (path.parent.name, record["phase"])
                    series[name][key].append((record["step"], value))
    names = sorted(n for n, s in series.items() if any(len(p) > 1 for p in s.values()))
    if not names:
        names = sorted(series)
    columns = min(3, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure, axes = plt.subplots(rows, columns, figsize=(4.5 * columns, 3 * rows), squeeze=False)
    styles = {"train": "-", "valid": ".--", "test": "*"}
    for axis, name in zip(axes.flat, names, strict=False):
        for (run, phase), points in series[name].items():
            label = phase if len(records) == 1 else f"{run} {phase}"
            axis.plot(*zip(*points, strict=True), styles.get(phase, "o"), label=label)
        axis.set(title=name, xlabel="step")
        axis.legend(fontsize=7)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    figure.tight_layout()
    figure.savefig(out, dpi=110)
    plt.close(figure)
