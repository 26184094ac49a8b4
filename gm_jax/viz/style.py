"""How all pictures look: colors, small texts, light or dark (`GM_JAX_THEME=dark`)."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gm_jax.errors import UserError

LINE = 16
"""Pixels: height of a line of small text."""
_SIZE = 11  # of its letters
_GAP = 4  # between a text and what it stands beside


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colors of everything that is no data.

    Attributes:
      paper: grey of the ground, 0 .. 255.
      ink: grey of texts and lines.
      faint: grey of grids, frames and notes.
      series: colors of lines, for the color-blind too: training, validation, test, others.
      real: color of points of the data.
    """

    paper: int
    ink: int
    faint: int
    series: tuple[str, ...]
    real: str


_THEMES = {
    "light": Theme(
        255, 30, 205, ("#1f5fb4", "#e0701a", "#14866d", "#a1439a", "#6b6b6b"), "#b8b8b8"
    ),
    "dark": Theme(24, 225, 75, ("#6ea8f7", "#ffa657", "#4fd1ae", "#d991d3", "#a8a8a8"), "#666666"),
}


def theme() -> Theme:
    """The one that GM_JAX_THEME names; light unless it is set.

    Raises:
      UserError: it names none.
    """
    name = os.environ.get("GM_JAX_THEME") or "light"
    if name not in _THEMES:
        raise UserError(f"GM_JAX_THEME must be {' or '.join(_THEMES)}, not {name}")
    return _THEMES[name]


@contextlib.contextmanager
def styled_plots() -> Iterator[Theme]:
    """Plots that are made within look alike; yields the theme."""
    import matplotlib
    import matplotlib.rcsetup

    chosen = theme()
    paper, ink, faint = (f"#{grey:02x}{grey:02x}{grey:02x}" for grey in _greys(chosen))
    settings: Any = {
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "axes.edgecolor": faint,
        "axes.labelcolor": ink,
        "axes.titlesize": 10,
        "axes.labelsize": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": matplotlib.rcsetup.cycler(color=chosen.series),
        "grid.color": faint,
        "grid.linewidth": 0.5,
        "grid.alpha": 0.6,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "lines.linewidth": 1.4,
    }
    with matplotlib.rc_context(settings):
        yield chosen


def label_grid(
    grid: np.ndarray, rows: Sequence[str] = (), columns: Sequence[str] = ()
) -> np.ndarray:
    """A grid with small names to the left of its rows, and above its columns.

    Args:
      grid: uint8 [H, W, 1 or 3], of as many rows or columns as there are names.
      rows: from the top; none: no names there.
      columns: from the left; a single one is the title of the whole.

    Returns:
      uint8 [H', W', C]; the grid is its lower right corner.
    """
    left = max(map(text_width, rows), default=0) + 2 * _GAP if rows else 0
    top = LINE if columns else 0
    sheet = np.pad(grid, ((top, 0), (left, 0), (0, 0)), constant_values=theme().paper)
    height, width = grid.shape[:2]
    texts = []
    for i, name in enumerate(rows):
        y = top + round((i + 0.5) * height / len(rows)) - LINE // 2
        texts.append((left - _GAP - text_width(name), y, name))
    for i, name in enumerate(columns):
        middle = (i + 0.5) * width / len(columns) - text_width(name) / 2
        texts.append((left + (_GAP if len(columns) == 1 else max(0, round(middle))), 0, name))
    return write_texts(sheet, texts)


def caption(picture: np.ndarray, text: str) -> np.ndarray:
    """A picture with a line of small text below it, uint8 [H + LINE, W, C]."""
    sheet = np.pad(picture, ((0, LINE), (0, 0), (0, 0)), constant_values=theme().paper)
    return write_texts(sheet, [(_GAP, len(picture), text)])


def write_texts(sheet: np.ndarray, texts: Sequence[tuple[int, int, str]]) -> np.ndarray:
    """A sheet, uint8 [H, W, 1 or 3], with small texts on it, given as (left, top, text)."""
    from PIL import Image, ImageDraw

    channels, ink = sheet.shape[-1], theme().ink
    image = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    draw = ImageDraw.Draw(image)
    for left, top, text in texts:
        draw.text((left, top + 1), text, fill=ink if channels == 1 else (ink,) * 3, font=_font())
    return np.asarray(image).reshape(sheet.shape)


def text_width(text: str) -> int:
    """Pixels that a small text is wide."""
    return int(np.ceil(_font().getlength(text)))


def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(_SIZE)


def _greys(chosen: Theme) -> tuple[int, int, int]:
    return chosen.paper, chosen.ink, chosen.faint
