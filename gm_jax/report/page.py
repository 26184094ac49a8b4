"""The page: what is known of runs, in one file of HTML that asks no network for anything."""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

from gm_jax.report.curves import Curves, curves_of, names_of, shown_first
from gm_jax.report.pictures import Pictures, data_uri, pictures_of
from gm_jax.results.comparison import Comparison, best_of, compare
from gm_jax.results.entry import Entry
from gm_jax.results.from_runs import last_part, read_experiment
from gm_jax.results.settings import differing
from gm_jax.results.written import NONE, heads, label, notes, spoken
from gm_jax.strict_json import finite
from gm_jax.training.records import METRICS, read_records, spent

_COLORS = 10  # of style.css
_SLOT = re.compile(r"\{\{(\w+)\}\}")


class Reported(NamedTuple):
    """A run with all that a page shows of it.

    Attributes:
      name: what it is called on the page.
      entry: its figures and settings.
      made: a label and a text each: machine, versions, commit, time.
      pictures: in its folder.
    """

    name: str
    entry: Entry
    made: Mapping[str, str]
    pictures: Pictures


def make_page(entries: Sequence[Entry]) -> str:
    """The page of some runs.

    Args:
      entries: of runs, each with its folder.

    Raises:
      UserError: where files of a run can't be read.
    """
    names = _short_names(entries)
    folders = [entry.folder for entry in entries]
    lines = [read_records(folder / METRICS) if folder else [] for folder in folders]
    runs = [
        Reported(name, entry, _made(entry, told), pictures_of(entry.folder))
        for name, entry, told in zip(names, entries, lines, strict=True)
        if entry.folder is not None
    ]
    curves = curves_of(lines)
    figures = names_of(curves)
    slots = {
        "title": escape(_title(runs)),
        "style": _part("style.css"),
        "script": _part("script.js"),
        "data": _embedded(_data(runs, curves, figures)),
        "runs": _choices(runs),
        "tables": "\n".join(_tables(entries)),
        "curves": _curve_choices(figures),
        "pictures": "\n".join(_pictures(i, run) for i, run in enumerate(runs)),
        "settings": _settings(runs),
        "made": _made_table(runs),
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], _part("template.html"))


def _part(name: str) -> str:
    return (files("gm_jax.report") / name).read_text(encoding="utf-8")


def _title(runs: Sequence[Reported]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs"


def _short_names(entries: Sequence[Entry]) -> list[str]:
    """Folders without what all of them have in front; of a single run its last two parts."""
    parts = [entry.folder.absolute().parts if entry.folder else (entry.name,) for entry in entries]
    if len(parts) == 1:
        return ["/".join(parts[0][-2:])]
    shared = 0
    while len({p[: shared + 1] for p in parts}) == 1 and shared < min(map(len, parts)) - 1:
        shared += 1
    return ["/".join(p[shared:]) for p in parts]


def _data(
    runs: Sequence[Reported], curves: Sequence[Curves], figures: Sequence[str]
) -> dict[str, Any]:
    """What the script of the page works with."""
    told = [
        {
            "name": run.name,
            "curves": one,
            "slides": {
                # The last one stands in the page.
                kind: [
                    *([slide.label, data_uri(slide.path)] for slide in slides[:-1]),
                    [slides[-1].label, None],
                ]
                for kind, slides in run.pictures.slides.items()
            },
        }
        for run, one in zip(runs, curves, strict=True)
    ]
    return {"runs": told, "figures": list(figures), "shown": shown_first(figures)}


def _embedded(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends one, or begins a comment."""
    text = json.dumps(finite(data), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _choices(runs: Sequence[Reported]) -> str:
    """A checkbox for each run."""
    return "\n".join(
        f'<label class="choice"><input type="checkbox" data-run="{i}" checked>'
        f"{_swatch(i)}<span>{escape(run.name)}</span></label>"
        for i, run in enumerate(runs)
    )


def _swatch(number: int) -> str:
    """The color of a run."""
    return f'<span class="swatch s{number % _COLORS}"></span>'


def _curve_choices(figures: Sequence[str]) -> str:
    shown = shown_first(figures)
    return "\n".join(
        f'<label class="choice"><input type="checkbox" data-figure="{escape(name)}"'
        f"{' checked' if name in shown else ''}><span>"
        f"{escape(name.replace('_', ' '))}</span></label>"
        for name in figures
    )


def _tables(entries: Sequence[Entry]) -> list[str]:
    """A table of figures for the runs of each data."""
    colors = {entry.where: i for i, entry in enumerate(entries)}
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(json.dumps(entry.data, sort_keys=True, default=str), []).append(entry)
    several = len(groups) > 1
    return [
        (f"<h3>{escape(_data_name(group[0]))}</h3>" if several else "")
        + _comparison_table(compare(group), colors)
        for group in groups.values()
    ]


def _data_name(entry: Entry) -> str:
    levels = "points" if entry.levels is None else f"{entry.levels} levels"
    return f"{entry.data.get('data.source', entry.name)}, {entry.data['shape']}, {levels}"


def _comparison_table(comparison: Comparison, colors: Mapping[str, int]) -> str:
    best = {c.key: best_of(comparison, c) for c in comparison.columns}
    rows = []
    for row in comparison.rows:
        swatches = "".join(_swatch(colors[entry.where]) for entry in row.entries)
        cells = [f"<th>{swatches}{escape(label(row))}</th>"]
        cells.append(f"<td>{escape(row.entries[0].family)}</td>")
        for column in comparison.columns:
            cell = row.cells.get(column.key)
            is_best = cell is not None and cell.kind and cell.value == best[column.key]
            mark = ' class="best"' if is_best else ""
            cells.append(f"<td{mark}>{escape(spoken(cell, column, row))}</td>")
        rows.append("".join(cells))
    told = "".join(f'<p class="faint">{escape(note)}</p>' for note in notes(comparison))
    return _table(heads(comparison), rows) + told


def _pictures(number: int, run: Reported) -> str:
    """The pictures of a run: those over the steps with a slider, and the others."""
    cards = []
    for kind, slides in run.pictures.slides.items():
        last = len(slides) - 1
        slider = (
            f'<input type="range" min="0" max="{last}" value="{last}" '
            f'data-slides="{escape(kind)}" data-of-run="{number}" '
            f'aria-label="step of {escape(kind)} of {escape(run.name)}">'
            if last
            else ""
        )
        cards.append(
            f'<figure class="card"><figcaption>{escape(kind)} '
            f'<output class="faint">{escape(slides[-1].label)}</output></figcaption>'
            f'<img alt="{escape(kind)} of {escape(run.name)}" src="{data_uri(slides[-1].path)}">'
            f"{slider}</figure>"
        )
    cards += [
        f'<figure class="card"><figcaption>{escape(name)}</figcaption>'
        f'<img alt="{escape(name)} of {escape(run.name)}" src="{data_uri(path)}" loading="lazy">'
        "</figure>"
        for name, path in run.pictures.others.items()
    ]
    shown = "\n".join(cards) or '<p class="faint">no pictures in its folder</p>'
    return (
        f'<section class="pictures" data-of="{number}"><h3>{_swatch(number)}'
        f'{escape(run.name)}</h3><div class="cards">{shown}</div></section>'
    )


def _settings(runs: Sequence[Reported]) -> str:
    """All settings, with a column for each run; rows in which runs differ are marked."""
    flats = [run.entry.settings for run in runs]
    differs = {*differing(flats)} if len(runs) > 1 else set()
    rows = []
    for path in dict.fromkeys(path for flat in flats for path in flat):
        if not path:
            continue
        mark = ' class="differs"' if path in differs else ""
        values = "".join(
            f"<td>{escape(_value(flat[path]) if path in flat else NONE)}</td>" for flat in flats
        )
        rows.append((mark, f"<th>{escape(path)}</th>{values}"))
    only = (
        '<label class="choice"><input type="checkbox" id="only-differences" checked>'
        f"<span>only the {len(differs)} in which runs differ</span></label>"
        if differs
        else ""
    )
    body = "".join(f"<tr{mark}>{cells}</tr>" for mark, cells in rows)
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("setting", *(r.name for r in runs)))
    hidden = "only" if differs else ""
    return (
        f'{only}<div class="wide"><table id="settings-table" class="{hidden}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _value(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _made(entry: Entry, lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By what a run was made: its last part, and what all parts took."""
    assert entry.folder is not None
    part = last_part(read_experiment(entry.folder))
    machine, took = part.get("machine") or {}, spent(lines)
    commit = part.get("commit") or NONE
    versions = part.get("versions") or {}
    return {
        "folder": str(entry.folder),
        "step": f"{entry.steps:,}",
        "parameters": NONE if entry.parameters is None else f"{entry.parameters:,}",
        "core-minutes": f"{took.cpu_seconds / 60:.1f}",
        "minutes": f"{took.seconds / 60:.1f}",
        "peak memory": NONE if took.peak_mib is None else f"{took.peak_mib:,} MiB",
        "machine": f"{machine['cpu']}, {machine['cores']} cores" if machine else NONE,
        "accelerators": str(machine.get("accelerators") or NONE),
        "commit": commit[:12] + (" and code in no commit" if part.get("dirty") else ""),
        "versions": ", ".join(f"{name} {v}" for name, v in versions.items()) or NONE,
    }


def _made_table(runs: Sequence[Reported]) -> str:
    rows = [
        f"<th>{escape(topic)}</th>" + "".join(f"<td>{escape(run.made[topic])}</td>" for run in runs)
        for topic in runs[0].made
    ]
    return _table(["", *(run.name for run in runs)], rows)


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in heads)
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
