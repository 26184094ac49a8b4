"""What commands say: lines under a topic, and figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gm_jax.results.headline import LABELS, in_order

if TYPE_CHECKING:
    from gm_jax.evaluation.figure import Figure


_TOPIC = 9  # characters


def say(topic: str, text: str) -> None:
    """One line of a command's report; a topic too long for its column has one of its own."""
    if len(topic) > _TOPIC:
        print(topic)
        topic = ""
    print(f"{topic:<{_TOPIC}} {text}\n", end="", flush=True)  # in one piece, beside other threads


def spoken(size: float) -> str:
    """Bytes in the largest unit of which there is one: 1.5 MiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


def show_figures(topic: str, figures: Mapping[str, "Figure"]) -> None:
    """One line a figure, the tightest of a quantity first: value, error, kind, examples."""
    names = in_order(figures)
    rows = [
        (LABELS.get(name, name), f"{figures[name].value:.4f}", f"{figures[name].stderr:.4f}")
        for name in names
    ]
    label, value, error = (max(map(len, column)) for column in zip(*rows, strict=True))
    for name, row in zip(names, rows, strict=True):
        figure = figures[name]
        say(
            topic,
            f"{row[0]:<{max(label, 22)}} {row[1]:>{max(value, 10)}} ± {row[2]:<{error}}  "
            f"({figure.kind}, {figure.n:,} examples)",
        )
        topic = ""
