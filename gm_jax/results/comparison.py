"""One table of runs and records: a row for each recipe, a column for each figure. Needs no jax."""

import dataclasses
import difflib
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import NamedTuple

from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.results.entry import Entry, check_same_data
from gm_jax.results.settings import differing

SPEED = "images_per_second"
"""The figure of how fast a run draws."""

_BITS = ("neg_log_prob_bits_per_dim", "bits_per_dim")
_NATS = ("neg_log_prob", "neg_elbo")
_RECONSTRUCTIONS = {"mse": "MSE", "psnr": "PSNR (dB)", "ssim": "SSIM"}
_NOISE = ("DDPM",)  # their mse is of noise, of no reconstruction
_READ = {
    "good_share": "good samples",
    "modes_held": "modes held",
    "label_agreement": "labels read right",
    "read_surely": "read surely",
    "classes_covered": "classes covered",
    "error": "read wrongly",
}
_OF_SAMPLES = {
    "fid": "FID",
    "kid": "KID",
    "precision": "precision",
    "recall": "recall",
    "label_agreement": "labels read right",
}
"""Shown unless others are asked for; the rest only if it is."""
_MORE_IS_BETTER = (
    *("psnr", "ssim", "precision", "recall", "density", "coverage", "inception_score", SPEED),
    *("good_share", "modes_held", "label_agreement", "read_surely", "classes_covered"),
)
_MOST_SETTINGS = 3  # in the name of a row


class Cell(NamedTuple):
    """A figure of a row.

    Attributes:
      value: the mean over seeds.
      error: its standard error: over examples, or of several seeds over these; 0 where not known.
      kind: what the figure is worth; empty of what is no figure, such as steps.
      n: examples it is a mean of.
      seeds: runs it is a mean over.
    """

    value: float
    error: float = 0.0
    kind: str = ""
    n: int = 0
    seeds: int = 1


@dataclasses.dataclass(frozen=True)
class Column:
    """What stands in one column.

    Attributes:
      key: by which it is asked for: bits_per_dim, or fid@FEATURES:N.
      title: above it.
      get: the figure or number of an entry; None where it has none.
      about: what the title leaves out: in which features, of how many samples.
    """

    key: str
    title: str
    get: Callable[[Entry], Figure | float | None]
    about: str = ""

    @property
    def name(self) -> str:
        """The key without what tells it from others of its name."""
        return self.key.partition("@")[0]

    @property
    def more_is_better(self) -> bool:
        """Whether the greatest is the best."""
        return self.name in _MORE_IS_BETTER


class Row(NamedTuple):
    """The runs of one recipe.

    Attributes:
      label: what it is called here.
      entries: one for each seed.
      cells: by the key of a column.
    """

    label: str
    entries: tuple[Entry, ...]
    cells: Mapping[str, Cell]


class Comparison(NamedTuple):
    """A table of figures.

    Attributes:
      columns: in their order.
      rows: in their order.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def compare(
    entries: Sequence[Entry], sort: str | None = None, only: Sequence[str] = ()
) -> Comparison:
    """The table of some entries.

    Args:
      entries: of one data set; those that differ in their seed alone make one row.
      sort: the column to sort by, the best first; None: in the order of the entries.
      only: patterns of columns to show; none: all in which anything stands.

    Raises:
      UserError: entries of different data, or no such column.
    """
    check_same_data(entries)
    groups = _by_recipe(entries)
    columns = _columns(entries)
    labels = _labels(groups)
    rows = [
        Row(label, tuple(group), _cells(group, columns))
        for label, group in zip(labels, groups, strict=True)
    ]
    if sort is not None:
        rows = _sorted(rows, _find(columns, sort))
    return Comparison(tuple(_chosen(columns, rows, only)), tuple(rows))


def best_of(comparison: Comparison, column: Column) -> float | None:
    """The best value of a column of figures, among those that are worth the same or more.

    None where fewer than two rows can be held against each other: figures of a surrogate are not.
    """
    cells = [row.cells[column.key] for row in comparison.rows if column.key in row.cells]
    values = [cell.value for cell in cells if cell.kind not in ("", "surrogate")]
    if len(values) < 2:
        return None
    return max(values) if column.more_is_better else min(values)


def _by_recipe(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Runs of one recipe together, each seed once; a second run of a seed stands for itself."""
    groups: dict[tuple[str, int], list[Entry]] = {}
    for entry in entries:
        place = 0
        while any(e.seed == entry.seed for e in groups.get((entry.recipe, place), [])):
            place += 1
        groups.setdefault((entry.recipe, place), []).append(entry)
    return list(groups.values())


def _labels(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """The recipe's name; where several have it, with the settings in which they differ."""
    labels = []
    for group in groups:
        first = group[0]
        same = [g[0] for g in groups if g[0].name == first.name]
        paths = [p for p in differing([e.settings for e in same]) if p != "seed"]
        said = [
            f"{path.rpartition('.')[2]} {_spoken(first.settings.get(path))}"
            for path in paths[:_MOST_SETTINGS]
        ]
        if len(same) > 1 and not said:
            said = [str(first.folder or f"seed {first.seed}")]
        labels.append(" · ".join([first.name, *said]))
    return labels


def _spoken(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _columns(entries: Sequence[Entry]) -> list[Column]:
    """All columns that entries of these data can have."""
    points = entries[0].levels is None
    columns = [
        Column("parameters", "parameters", lambda e: e.parameters),
        Column("steps", "steps", lambda e: e.steps),
        Column("core_minutes", "core-minutes", lambda e: e.core_minutes),
        Column("device_minutes", "device-minutes", lambda e: e.device_minutes),
        Column("examples", "images seen" if not points else "points seen", lambda e: e.examples),
    ]
    if not points:  # of a density, bits have no meaning: it depends on the unit
        columns.append(Column("bits_per_dim", "bits/dim", lambda e: _first(e, _BITS)))
    if entries[0].levels in (None, 2):
        columns.append(Column("nats", "−log p (nats)", lambda e: _first(e, _NATS)))
    columns += _columns_of_samples(entries)
    columns += [_column(name, title) for name, title in _READ.items()]
    columns += [_column(name, title) for name, title in _RECONSTRUCTIONS.items()]
    return [*columns, _column(SPEED, "images/s")]


def _column(name: str, title: str) -> Column:
    def get(entry: Entry) -> Figure | None:
        if name in _RECONSTRUCTIONS and entry.family in _NOISE:
            return None
        return entry.figures.get(name)

    return Column(name, title, get)


def _columns_of_samples(entries: Sequence[Entry]) -> list[Column]:
    """A column for each figure, features and number of samples: others can't be held beside it."""
    found = {(name, figure.n) for e in entries for name, figure in e.figures.items() if "@" in name}

    def order(one: tuple[str, int]) -> tuple[str, int, str, int]:
        name, _, features = one[0].partition("@")
        known = [*_OF_SAMPLES]
        return features, known.index(name) if name in known else len(known), name, one[1]

    return [_column_of_samples(name, n) for name, n in sorted(found, key=order)]


def _column_of_samples(name: str, n: int) -> Column:
    short, _, features = name.partition("@")

    def get(entry: Entry) -> Figure | None:
        figure = entry.figures.get(name)
        return figure if figure is not None and figure.n == n else None

    title = _OF_SAMPLES.get(short, short.replace("_", " "))
    return Column(f"{name}:{n}", title, get, f"in features {features}, of {n:,} samples")


def _first(entry: Entry, names: Sequence[str]) -> Figure | None:
    """The tightest figure that is worth anything; else one of a surrogate."""
    found = [entry.figures[name] for name in names if name in entry.figures]
    sound = [figure for figure in found if figure.kind in ("exact", "bound")]
    return next(iter([*sound, *found]), None)


def _cells(group: Sequence[Entry], columns: Sequence[Column]) -> dict[str, Cell]:
    cells = {}
    for column in columns:
        got = [value for value in map(column.get, group) if value is not None]
        if got:
            cells[column.key] = _cell(got)
    return cells


def _cell(got: Sequence[Figure | float]) -> Cell:
    """One figure as it is; several as their mean, with its standard error over seeds."""
    values = [float(v.value if isinstance(v, Figure) else v) for v in got]
    first = got[0]
    kind, n = (first.kind, first.n) if isinstance(first, Figure) else ("", 0)
    if len(values) == 1:
        return Cell(values[0], first.stderr if isinstance(first, Figure) else 0.0, kind, n)
    error = statistics.stdev(values) / math.sqrt(len(values))
    return Cell(statistics.fmean(values), error, kind, n, len(values))


def _find(columns: Sequence[Column], wanted: str) -> Column:
    """The column of a key, or of a name or a beginning that only one has.

    Raises:
      UserError: where there is none, or more than one.
    """
    found = [c for c in columns if c.key == wanted]
    found = found or [c for c in columns if wanted in (c.name, c.key.rpartition(":")[0])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"{wanted} may mean {' or '.join(c.key for c in found)}: name one of them", "--sort"
        )
    keys = [c.key for c in columns]
    near = difflib.get_close_matches(wanted, keys, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UserError(f"there is no column {wanted}, but {', '.join(keys)}{hint}", "--sort")


def _sorted(rows: Sequence[Row], column: Column) -> list[Row]:
    """The best first; then surrogates, which can't be held against the others, then the rest."""

    def order(row: Row) -> tuple[int, float]:
        cell = row.cells.get(column.key)
        if cell is None:
            return 2, 0.0
        return int(cell.kind == "surrogate"), -cell.value if column.more_is_better else cell.value

    return sorted(rows, key=order)


def _chosen(columns: Sequence[Column], rows: Sequence[Row], only: Sequence[str]) -> list[Column]:
    """The columns of some patterns; without any, the usual ones in which something stands.

    Raises:
      UserError: for a pattern that fits none.
    """
    if not only:
        usual = [c for c in columns if "@" not in c.key or c.name in _OF_SAMPLES]
        return [c for c in usual if any(c.key in row.cells for row in rows)]
    for pattern in only:
        if not any(_fits(c, pattern) for c in columns):
            keys = ", ".join(c.key for c in columns)
            raise UserError(f"{pattern} fits no column; there are {keys}", "--only")
    return [c for c in columns if any(_fits(c, pattern) for pattern in only)]


def _fits(column: Column, pattern: str) -> bool:
    return fnmatch(column.key, pattern) or fnmatch(column.name, pattern)
