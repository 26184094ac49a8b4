"""Tables and galleries in Markdown, made of records. Needs no jax."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from gm_jax.experiment_file import ExperimentFile
from gm_jax.results.comparison import compare
from gm_jax.results.from_records import entry_of_record
from gm_jax.results.headline import headline, in_order, spoken
from gm_jax.results.markdown import table
from gm_jax.results.record import Record
from gm_jax.results.samples_table import FLOOR, IN_FEATURES, samples_tables
from gm_jax.results.written import NONE, notes
from gm_jax.results.written import cells as table_cells
from gm_jax.results.written import heads as table_heads

_MOST_OTHERS = 4  # figures beside the headline
_COLUMNS = 3  # of the gallery
_README = ("digits", "mnist", "storms")  # what a newcomer trains first
_COMPARED = ("digits", "mnist12")
_NOT_COMPARED = (
    *("steps", "examples", "classes_covered", "error", "mse", "psnr", "ssim", "images_per_second"),
)
_BY_FRAME = ("mse", "ssim")


class Recorded(NamedTuple):
    """An experiment file with its records."""

    file: ExperimentFile
    records: list[Record]


def group_of(name: str) -> str:
    """The data an experiment is of: digits of digits/vae."""
    return name.partition("/")[0]


def spoken_headline(records: Sequence[Record], *, error: bool = True) -> str:
    """The best figure of a recipe with its kind; over seeds the mean, and how it scatters.

    Args:
      records: of one recipe, one for each seed.
      error: whether to tell the standard error, or the standard deviation over seeds.
    """
    first = records[0]
    name = headline(first.figures, first.levels)
    if name is None:
        return "–"
    kind = first.figures[name].kind
    values = [r.figures[name].value for r in records if name in r.figures]
    mean = statistics.fmean(values)
    if not error:
        return f"{spoken(name, mean)} ({kind})"
    if len(values) > 1:
        spread = statistics.stdev(values)
        return f"{spoken(name, mean, spread)} over {len(values)} seeds ({kind})"
    return f"{spoken(name, mean, first.figures[name].stderr)} ({kind})"


def spoken_cost(record: Record) -> str:
    """E.g. "210" core-minutes, or "12 device"."""
    if record.device_minutes is not None:
        return f"{_minutes(record.device_minutes)} device"
    return _minutes(record.core_minutes)


def results_tables(recorded: Iterable[Recorded]) -> str:
    """All records, by data."""
    parts = []
    for data, group in groupby(_with_records(recorded), lambda r: group_of(r.file.name)):
        some = list(group)
        rows = [
            [
                f"`{name}`",
                spoken_headline(records),
                _others(records[0]),
                _steps(records[0]),
                spoken_cost(records[0]),
                "–" if records[0].peak_mib is None else f"{records[0].peak_mib:,}",
                f"{records[0].date}, {(records[0].commit or records[0].versions['gm_jax'])[:9]}",
            ]
            for one in some
            for name, records in by_recipe(one.records)
        ]
        heads = ["recipe", "figure", "also", "steps", "core-minutes", "MiB", "date, commit"]
        tables = samples_tables(records[0] for one in some for _, records in by_recipe(one.records))
        parts.append("\n\n".join([f"## {data}", table(heads, rows), *tables]))
    forecasts = [
        _lead_times(r) for one in _with_records(recorded) for r in one.records if r.lead_times
    ]
    if forecasts:
        parts.append("## Forecasts by lead time\n\n" + "\n\n".join(forecasts))
    machines = _machines(record for one in _with_records(recorded) for record in one.records)
    return "\n\n".join([*parts, machines])


def readme_table(recorded: Iterable[Recorded]) -> str:
    """The recommended recipes of a few data sets, and all that draws on the smallest compared."""
    recorded = list(recorded)
    rows = [
        [
            f"`{one.file.name}`",
            one.file.title.rstrip("."),
            spoken_headline(records),
            spoken_cost(records[0]),
        ]
        for one in _with_records(recorded)
        if group_of(one.file.name) in _README
        for name, records in by_recipe(one.records)
        if name == one.file.name
    ]
    first = table(["experiment", "what", "test figure", "core-minutes"], rows)
    smallest = [one for one in recorded if group_of(one.file.name) == _COMPARED[0]]
    levels = next((r.levels for one in smallest for r in one.records), None)
    second = _compared(_COMPARED[0], smallest, levels, with_pictures=False)
    lead = "All that draws, on the 8x8 digits ([what figures cannot say](docs/comparison.md)):"
    return "\n\n".join([first, lead, second] if second else [first])


def gallery(recorded: Iterable[Recorded]) -> str:
    """The pictures of all records, by data."""
    parts = []
    for data, group in groupby(_with_records(recorded), lambda r: group_of(r.file.name)):
        cells = [
            (
                f"`{record.name}`<br>{spoken_headline([record])}",
                f"![samples of {record.name}](pictures/records/{record.picture})",
            )
            for one in group
            for record in one.records
            if record.picture
        ]
        rows = [cells[i : i + _COLUMNS] for i in range(0, len(cells), _COLUMNS)]
        tables = [table([head for head, _ in row], [[cell for _, cell in row]]) for row in rows]
        if tables:
            parts.append(f"## {data}\n\n" + "\n\n".join(tables))
    return "\n\n".join(parts)


def comparison(recorded: Iterable[Recorded]) -> str:
    """Likelihoods beside the quality of samples, of all that draws and has a record, by data."""
    parts = []
    for data, files in groupby(recorded, lambda r: group_of(r.file.name)):
        if data not in _COMPARED:
            continue
        group = list(files)
        # Other levels are other data.
        levels = dict.fromkeys(r.levels for one in group for r in one.records)
        parts.append(f"## {data}")
        parts += filter(None, (_compared(data, group, num) for num in levels))
        if without := [f"`{one.file.name}`" for one in group if not one.records]:
            parts.append(f"No record yet: {', '.join(without)}.")
    return "\n\n".join(parts)


def _compared(
    data: str, group: Sequence[Recorded], levels: int | None, with_pictures: bool = True
) -> str:
    """One table: those that tell a likelihood first, the best at the top."""
    records = [r for one in group for r in one.records if r.levels == levels]
    entries = [entry_of_record(r, {"data": data}, {}) for r in records]
    drawing = [entry for entry in entries if entry.draws]
    if not drawing:
        return ""
    sort = "nats" if levels is None else "bits_per_dim"
    found = compare(drawing, sort)
    found = found._replace(columns=tuple(c for c in found.columns if c.name not in _NOT_COMPARED))
    pictures = {r.name: r.picture for r in records if r.picture}
    heads = [*table_heads(found), *["picture"] * with_pictures]
    rows = [
        [f"`{cells[0]}`", *cells[1:], *[_picture(row.entries[0].name, pictures)] * with_pictures]
        for row, cells in zip(found.rows, table_cells(found), strict=True)
    ]
    return "\n\n".join([table(heads, rows), *notes(found), *_floors(records)])


def _floors(records: Iterable[Record]) -> list[str]:
    """What FID training images have, in each features and for each number of images."""
    told = {
        (name.partition(IN_FEATURES)[2], figure.n): spoken("", figure.value, figure.stderr).strip()
        for record in records
        for name, figure in record.figures.items()
        if name.startswith(f"{FLOOR}{IN_FEATURES}")
    }
    return [
        f"FID of {num:,} training images in features {features}: {value}"
        for (features, num), value in sorted(told.items())
    ]


def _picture(name: str, pictures: Mapping[str, str]) -> str:
    if name not in pictures:
        return NONE
    return f'<img src="pictures/records/{pictures[name]}" alt="samples of {name}" width="160">'


def by_recipe(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """Records by recipe; those of one recipe by seed."""
    ordered = sorted(records, key=lambda r: (r.name, r.seed))
    return [(name, list(some)) for name, some in groupby(ordered, lambda r: r.name)]


def spoken_machine(record: Record) -> str:
    """What a record was measured on."""
    machine = record.machine
    if machine is None:
        return "a machine that was not kept"
    accelerators = machine["accelerators"]
    return f"{machine['cpu']}, {machine['cores']} cores" + (
        f", {accelerators}" if accelerators else ""
    )


def _with_records(recorded: Iterable[Recorded]) -> list[Recorded]:
    return [one for one in recorded if one.records]


def _others(record: Record) -> str:
    stands = headline(record.figures, record.levels)
    left_out = (stands, "loss")
    names = [
        name
        for name in in_order(record.figures)
        if name not in left_out and "_t" not in name and IN_FEATURES not in name
    ]
    return "; ".join(
        spoken(n, record.figures[n].value, record.figures[n].stderr) for n in names[:_MOST_OTHERS]
    )


def _steps(record: Record) -> str:
    at = f", at {record.step:,}" if record.step != record.steps else ""
    early = ", no better any more" if record.stopped_early else ""
    return f"{record.steps:,}{early}{at}"


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f}" if minutes < 9.95 else f"{minutes:.0f}"


def _lead_times(record: Record) -> str:
    lead_times = record.lead_times or {}
    methods = [
        name
        for name, told in lead_times.items()
        if isinstance(told, Mapping) and _BY_FRAME[0] in told
    ]
    heads = [f"`{record.name}`", *(name.upper() for name in _BY_FRAME)]
    rows = [
        [method, *(_row(lead_times[method].get(name, [])) for name in _BY_FRAME)]
        for method in methods
    ]
    advice = lead_times.get("recommendation")
    return table(heads, rows) + (f"\n\nAdvice: {advice}." if advice else "")


def _row(values: Sequence[float | None]) -> str:
    return " / ".join("–" if v is None else f"{v:.4f}" for v in values)


def _machines(records: Iterable[Record]) -> str:
    counts: dict[str, int] = {}
    for record in records:
        packages = ", ".join(f"{k} {record.versions.get(k, '?')}" for k in ("jax", "flax", "optax"))
        on = f"{spoken_machine(record)}; {packages}"
        counts[on] = counts.get(on, 0) + 1
    listed = (f"- {on}: {num} record{'s' if num > 1 else ''}" for on, num in counts.items())
    return "Measured on\n\n" + "\n".join(listed) if counts else "No records yet."
