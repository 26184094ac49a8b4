"""Tables as arrays: the numbers in a .csv or .npy file, or a small set of scikit-learn."""

import array
import csv
import functools
import itertools
import operator
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from gm_jax.errors import UserError, one_line

ENDINGS = (".csv", ".tsv", ".npy")
SklearnName = Literal["iris", "wine", "breast_cancer"]

_MOST_CLASSES = 1000
_LONGEST = 40  # characters of a cell in a message


class Table(NamedTuple):
    """Rows of numbers.

    Attributes:
      values: float32 [N, D].
      names: of the columns.
      labels: int32 [N], each row's place among the classes; None where there are none.
      classes: names of the labels, in order.
      label: name of the column that they were in.
    """

    values: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    label: str | None = None


def read_table(path: pathlib.Path, label: str | None, columns: tuple[str, ...]) -> Table:
    """The numbers in a file; read again only where the file has changed.

    Args:
      path: of a .csv (or .tsv, or .npy) file.
      label: the column that has the labels, by name or by number from 0; None: none.
      columns: those to take, likewise; none: all but the label.

    Raises:
      UserError: the file cannot be read, has no such column, or a value in it is no finite number.
    """
    if path.suffix.lower() not in ENDINGS or not path.is_file():
        raise UserError(f"{path} is no table: give a .csv or .npy file")
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns, label, columns)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or one_line(error)}") from error


def sklearn_table(name: SklearnName) -> Table:
    """A small table that scikit-learn brings, with its labels."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return Table(
        bunch.data.astype(np.float32),
        tuple(map(str, bunch.feature_names)),
        bunch.target.astype(np.int32),
        tuple(map(str, bunch.target_names)),
        "class",
    )


@functools.lru_cache(maxsize=2)  # a run opens its splits one after the other
def _read(
    path: pathlib.Path, size: int, time: int, label: str | None, columns: tuple[str, ...]
) -> Table:
    if not size:
        raise UserError(f"{path} is empty: give a table of numbers")
    read = _read_npy if path.suffix.lower() == ".npy" else _read_csv
    table = read(path, label, columns)
    for values in (table.values, table.labels):
        if values is not None:
            values.setflags(write=False)
    return table


def _read_npy(path: pathlib.Path, label: str | None, columns: tuple[str, ...]) -> Table:
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} holds no array of numbers ({one_line(error)})") from error
    if rows.dtype.kind not in "fiub" or rows.ndim not in (1, 2) or not rows.size:
        raise UserError(
            f"{path} has to hold real numbers [N, D], one row a point, not {rows.dtype} "
            f"{list(rows.shape)}"
        )
    rows = rows.reshape(len(rows), -1)
    names = [f"x{i}" for i in range(rows.shape[1])]
    chosen = _Chosen(path, names, label, columns)

    def where(row: int) -> str:
        return f"row {row}"

    values = _to_float32(path, np.asarray(rows[:, chosen.values]), chosen.names, where)
    if chosen.label is None:
        return Table(values, chosen.names)
    labels, classes = _numbered(path, names[chosen.label], rows[:, chosen.label].tolist())
    return Table(values, chosen.names, labels, classes, names[chosen.label])


def _read_csv(path: pathlib.Path, label: str | None, columns: tuple[str, ...]) -> Table:
    numbers, lines, marks = array.array("d"), array.array("q"), list[str]()
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(path, file)
        first = next(rows, None)
        if first is None:
            raise UserError(f"{path} is empty: give a table of numbers")
        width = len(first[1])
        has_header = not any(map(_is_number, first[1]))
        names = _names(first[1]) if has_header else [f"x{i}" for i in range(width)]
        chosen = _Chosen(path, names, label, columns)
        # A single column comes from itemgetter as it is, and not in a tuple.
        values = chosen.values if len(chosen.values) > 1 else chosen.values * 2
        pick: Callable[[Sequence[str]], Any] = operator.itemgetter(*values)
        for line, cells in rows if has_header else itertools.chain([first], rows):
            if len(cells) != width:
                raise UserError(
                    f"{path}: line {line} has {len(cells)} values and the first one {width}: every "
                    "row needs as many"
                )
            try:
                numbers.extend(map(float, pick(cells)))
            except ValueError:
                raise _no_number(path, line, cells, names, chosen) from None
            lines.append(line)
            if chosen.label is not None:
                marks.append(cells[chosen.label].strip())
    if not lines:
        raise UserError(f"{path} has a header and no rows below it: give a table of numbers")
    table = np.frombuffer(numbers, np.float64).reshape(len(lines), -1)[:, : len(chosen.values)]

    def where(row: int) -> str:
        return f"line {lines[row]}"

    fitted = _to_float32(path, table, chosen.names, where)
    if chosen.label is None:
        return Table(fitted, chosen.names)
    labels, classes = _numbered(path, names[chosen.label], marks)
    return Table(fitted, chosen.names, labels, classes, names[chosen.label])


def _rows(path: pathlib.Path, file: Any) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of its line."""
    try:
        start = file.readline()
        file.seek(0)
        delimiter = next((d for d in "\t;" if d in start), ",")
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: write it as a .csv file") from error
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a table: {one_line(error)}") from error


def _names(header: Sequence[str]) -> list[str]:
    """Those of the columns; numpy's savetxt puts a # before the first."""
    names = [cell.strip() for cell in header]
    names[0] = names[0].removeprefix("#").strip()
    return [name or f"x{i}" for i, name in enumerate(names)]


class _Chosen:
    """Which columns are taken.

    Attributes:
      label: number of the label's column, or None.
      values: numbers of the others.
      names: of those.
    """

    def __init__(
        self, path: pathlib.Path, names: list[str], label: str | None, columns: tuple[str, ...]
    ):
        def number(wanted: str) -> int:
            if wanted in names:
                return names.index(wanted)
            if wanted.removeprefix("-").isdecimal() and -len(names) <= int(wanted) < len(names):
                return int(wanted) % len(names)
            known = ", ".join(names[:20]) + ", ..." * (len(names) > 20)
            raise UserError(
                f"{path} has no column {wanted}: it has {known}, or give a number from 0 to "
                f"{len(names) - 1}"
            )

        self.label = None if label is None else number(label)
        self.values = [number(name) for name in columns] or [
            i for i in range(len(names)) if i != self.label
        ]
        if not self.values:
            raise UserError(f"{path} has no column beside the label {label}: give one with more")
        if self.label in self.values:
            raise UserError(f"{path}: the column {label} is the label, and among the values too")
        self.names = tuple(names[i] for i in self.values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _no_number(
    path: pathlib.Path, line: int, cells: list[str], names: list[str], chosen: _Chosen
) -> UserError:
    bad = next(i for i in chosen.values if not _is_number(cells[i]))
    if not cells[bad].strip():
        return UserError(
            f"{path}: line {line} has nothing in column {names[bad]}: fill it, or leave out the "
            "row or the column",
            "--data.columns",
        )
    return UserError(
        f"{path}: line {line}, column {names[bad]} holds {_short(cells[bad])}, which is no number: "
        "name the columns to take, or make this one the label",
        "--data.columns, --data.label",
    )


def _to_float32(
    path: pathlib.Path, values: np.ndarray, names: Sequence[str], where: Callable[[int], str]
) -> np.ndarray:
    """The values as float32 [N, D].

    Raises:
      UserError: one is not finite, or too large.
    """
    with np.errstate(over="ignore"):
        fitted = np.ascontiguousarray(values, np.float32)
    finite = np.isfinite(fitted)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        value = values[row, column]
        why = "which is too large for float32" if np.isfinite(value) else "which is not finite"
        raise UserError(
            f"{path}: {where(int(row))}, column {names[column]} holds {value:g}, {why}: mend it, "
            "or leave out the row"
        )
    return fitted


def _numbered(
    path: pathlib.Path, name: str, cells: Sequence[Any]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The place of each label among all that there are: numbers in order, or else names."""
    texts = [str(cell) for cell in cells]
    if all(map(_is_number, texts)):
        numbers = [float(text) for text in texts]
        odd = next((t for t, v in zip(texts, numbers, strict=True) if not v.is_integer()), None)
        if odd is not None:
            raise UserError(
                f"{path}: the label {name} holds {_short(odd)}, but labels are whole numbers or "
                "names: choose another column, or none"
            )
        texts = [str(int(v)) for v in numbers]
        classes = sorted({*texts}, key=int)
    else:
        classes = sorted({*texts})
    if len(classes) > _MOST_CLASSES:
        raise UserError(
            f"{path}: the label {name} has {len(classes):,} different values, and at most "
            f"{_MOST_CLASSES:,} can be classes: choose another column, or none"
        )
    places = {text: place for place, text in enumerate(classes)}
    return np.array([places[text] for text in texts], np.int32), tuple(classes)


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")
