"""The pictures in a run's folder, as a page shows them."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_STEP = re.compile(r"(?:step_(\d+)|final)(?:_(\w+))?\.png")
_TYPES = {".png": "image/png", ".gif": "image/gif"}
_MOST_STEPS = 24  # pictures of one kind, over the steps
_MOST_OTHERS = 12
_MOST_BYTES = 3_000_000  # of one picture
_NO_PICTURES = ("curves.png",)  # a page draws them itself


class Slide(NamedTuple):
    """A picture made while training, or at the end of it.

    Attributes:
      label: "step 2,000", or "at the end".
      path: of the file.
    """

    label: str
    path: Path


class Pictures(NamedTuple):
    """The pictures of one run.

    Attributes:
      slides: by kind (samples, reconstructions, density, ...), in the order of their steps.
      others: by their names: interpolations, nearest neighbours, animations, forecasts.
    """

    slides: dict[str, list[Slide]]
    others: dict[str, Path]


def pictures_of(folder: Path) -> Pictures:
    """What a run's folder has; pictures of more than 3 MB are left out."""
    slides: dict[str, list[tuple[float, Slide]]] = {}
    others: dict[str, Path] = {}
    for path in [*sorted((folder / "samples").glob("*")), *sorted(folder.glob("*"))]:
        if path.suffix not in _TYPES or path.name in _NO_PICTURES or _too_large(path):
            continue
        if match := _STEP.fullmatch(path.name):
            step = float(match[1] or "inf")
            label = f"step {int(match[1]):,}" if match[1] else "at the end"
            slides.setdefault(match[2] or "samples", []).append((step, Slide(label, path)))
        else:
            others[path.stem.replace("_", " ")] = path
    for path in sorted(folder.glob("forecasts/*/strip.png")):
        if not _too_large(path):
            others[f"forecast {path.parent.name}"] = path
    kinds = sorted(slides, key=lambda kind: (kind != "samples", kind))
    return Pictures(
        {kind: _spread([s for _, s in sorted(slides[kind])]) for kind in kinds},
        dict([*others.items()][:_MOST_OTHERS]),
    )


def data_uri(path: Path) -> str:
    """A picture as an address that holds it."""
    return f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _spread(slides: Sequence[Slide]) -> list[Slide]:
    """At most 24 of them, evenly spread, with the first and the last."""
    if len(slides) <= _MOST_STEPS:
        return list(slides)
    last = len(slides) - 1
    return [slides[round(i * last / (_MOST_STEPS - 1))] for i in range(_MOST_STEPS)]


def _too_large(path: Path) -> bool:
    return not path.is_file() or path.stat().st_size > _MOST_BYTES
