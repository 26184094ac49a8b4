"""A comparison as text: Markdown, CSV and JSON, and its cells. Needs no jax."""

import csv
import io
import itertools
import math
from string import ascii_lowercase
from typing import Any

from gm_jax.results.comparison import Cell, Column, Comparison, Row
from gm_jax.strict_json import to_json

NONE = "–"
"""Where a row has no figure."""

_WHOLE = ("parameters", "steps", "examples", "modes_held", "classes_covered")
_SHARES = ("error", "label_agreement", "good_share", "read_surely")  # as percentages


def heads(comparison: Comparison) -> list[str]:
    """The titles of a table for people; (a) stands for what `notes` say."""
    marks = _marks(comparison)
    titles = [c.title + (f" ({marks[c.about]})" if c.about else "") for c in comparison.columns]
    return ["run", "family", *titles]


def notes(comparison: Comparison) -> list[str]:
    """What the marks in the titles mean, e.g. "(a) in features random-1a2b, of 500 samples"."""
    return [f"({mark}) {about}" for about, mark in _marks(comparison).items()]


def _marks(comparison: Comparison) -> dict[str, str]:
    abouts = dict.fromkeys(column.about for column in comparison.columns if column.about)
    letters = (ascii_lowercase[i] if i < 26 else str(i) for i in itertools.count())
    return dict(zip(abouts, letters, strict=False))


def cells(comparison: Comparison) -> list[list[str]]:
    """The rows of a table for people."""
    return [
        [
            label(row),
            row.entries[0].family,
            *(spoken(row.cells.get(c.key), c, row) for c in comparison.columns),
        ]
        for row in comparison.rows
    ]


def label(row: Row) -> str:
    """What a row is called, with the number of its seeds where there are several."""
    return row.label + (f" ({len(row.entries)} seeds)" if len(row.entries) > 1 else "")


def spoken(cell: Cell | None, column: Column, row: Row) -> str:
    """A cell, e.g. "1.904 ± 0.017 bound": of several seeds with its standard error over them."""
    if cell is None:
        return NONE
    told = _number(cell, column.name)
    kind = f" {cell.kind}" if cell.kind in ("exact", "bound", "surrogate") else ""
    fewer = f" of {cell.seeds}" if 1 <= cell.seeds < len(row.entries) else ""
    return f"{told}{kind}{fewer}"


def to_csv(comparison: Comparison) -> str:
    """A line for each row; of each figure its value, standard error, kind, examples and seeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ["run", "recipe", "family", "seeds", "folders"]
    for column in comparison.columns:
        names.append(column.key)
        if _is_figure(column, comparison):
            names += [f"{column.key} {what}" for what in ("stderr", "kind", "n", "seeds")]
    writer.writerow(names)
    for row in comparison.rows:
        written: list[Any] = [
            row.label,
            row.entries[0].name,
            row.entries[0].family,
            " ".join(str(e.seed) for e in row.entries),
            " ".join(str(e.folder) for e in row.entries if e.folder is not None),
        ]
        for column in comparison.columns:
            cell = row.cells.get(column.key)
            if not _is_figure(column, comparison):
                written.append("" if cell is None else cell.value)
            else:
                written += ("",) * 5 if cell is None else cell
        writer.writerow(written)
    return out.getvalue()


def to_json_text(comparison: Comparison) -> str:
    """One object: "columns" by key, and "rows" with their figures by the same keys."""
    return to_json(plain(comparison), indent=1) + "\n"


def plain(comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain values."""
    rows = [
        {
            "run": row.label,
            "recipe": row.entries[0].name,
            "family": row.entries[0].family,
            "seeds": [e.seed for e in row.entries],
            "folders": [str(e.folder) for e in row.entries if e.folder is not None],
            "figures": {
                c.key: row.cells[c.key]._asdict() if c.key in row.cells else None
                for c in comparison.columns
            },
        }
        for row in comparison.rows
    ]
    columns = {c.key: {"title": c.title, "about": c.about} for c in comparison.columns}
    return {"columns": columns, "rows": rows}


def _is_figure(column: Column, comparison: Comparison) -> bool:
    return any(row.cells[column.key].kind for row in comparison.rows if column.key in row.cells)


def _number(cell: Cell, name: str) -> str:
    """A value and its error, with two digits of the error; else with four digits or so."""
    if name in _WHOLE and float(cell.value).is_integer():
        return f"{cell.value:,.0f}"
    if name in ("core_minutes", "device_minutes"):
        return f"{cell.value:.1f}" if cell.value < 9.95 else f"{cell.value:.0f}"
    if name in _SHARES:
        error = f" ± {100 * cell.error:.1f}" if cell.error else ""
        return f"{100 * cell.value:.1f}{error} %"
    if cell.error:
        digits = min(6, max(0, 1 - math.floor(math.log10(cell.error))))
        return f"{cell.value:,.{digits}f} ± {cell.error:,.{digits}f}"
    size = abs(cell.value)
    digits = 0 if size == 0 else min(6, max(0, 3 - math.floor(math.log10(size))))
    return f"{cell.value:,.{digits}f}"
