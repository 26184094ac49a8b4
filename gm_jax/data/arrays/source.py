"""Arrays of images of one's own as a source."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from gm_jax.data.arrays.files import in_memory, read_arrays
from gm_jax.data.arrays.table import Asked, Table, make_table
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.places import find_path, short_path
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import ConfigError, UserError, check_parts

KEPT_IN = "arrays"
"""Below a data folder: `<digest>.npz` files of arrays that were given to `gm_jax.fit`."""

_DIGITS_LEVELS = 17


@dataclasses.dataclass(frozen=True)
class Arrays(Source):
    """Images of one's own in an .npz or .npy file; splits "train", "validation", "test".

    Images are [N, H, W, C] of 1 to 16 channels, or [N, H, W]: of any height and width, of whole
    numbers, real ones or True and False. `docs/data.md` says how arrays are named and split.
    """

    path: pathlib.Path | str | None = None
    """Of the file: from the working folder, or else from a data folder (None: scikit-learn's
    digits)."""
    images: str | None = None
    """Name of the array of images, where it has none of the usual ones."""
    labels: str = "auto"
    """Of an .npz: name of the array of labels (auto: that with one of the usual names); of an .npy:
    path of an .npy file of them, from the images' folder; none: they are left out."""
    range: tuple[float, float] | None = None
    """Least and greatest value that there can be: needed for real numbers, and for whole ones that
    are no levels from 0 to 255."""
    num_levels: int | None = None
    """Levels that the values become, at most 256 (None: 256, or as many as the range has)."""
    valid_fraction: float = 0.10
    """Of the images, for the split validation, where the file has none."""
    test_fraction: float = 0.05
    """Of the images, for the split test, where the file has none."""

    def __post_init__(self) -> None:
        if self.path is not None:  # what a user gives and what experiment.json holds are the same
            object.__setattr__(self, "path", str(self.path))
        check_array_fields(self)

    @property
    def spec(self) -> DataSpec:
        return self._table().spec

    def open(self, split: str) -> Examples:
        table = self._table()
        return TableExamples(table, split_indices(split, table.sizes))

    def summary(self) -> str:
        """One line: images, values and what becomes of them, labels, splits."""
        return str(self._table())

    @property
    def asked(self) -> Asked:
        """What is said of the arrays."""
        return Asked(
            self.images,
            self.labels,
            self.range,
            self.num_levels,
            self.valid_fraction,
            self.test_fraction,
        )

    def _table(self) -> Table:
        if self.path is None:
            return _digits(self.asked)
        path = self._found()
        beside = None
        if path.suffix.lower() == ".npy" and self.labels not in ("auto", "none"):
            beside = path.parent / pathlib.Path(self.labels).expanduser()
            if not beside.is_file():
                raise UserError(f"there is no file {beside} of labels")
        files = [file for file in (path, beside) if file is not None]
        state = tuple((f.stat().st_size, f.stat().st_mtime_ns) for f in files)
        absolute = None if beside is None else beside.absolute()
        return _read(path.absolute(), absolute, state, short_path(path), self.asked)

    def _found(self) -> pathlib.Path:
        try:
            return find_path(str(self.path), "file")
        except UserError as error:
            if not re.fullmatch(rf"{KEPT_IN}/[0-9a-f]+\.npz", str(self.path)):
                raise
            raise UserError(f"{error}; gm_jax.fit of the same arrays keeps them anew") from error


# A source is made anew wherever it is asked for; what it read stays for as long as it is in use.
@functools.lru_cache(maxsize=2)
def _read(
    path: pathlib.Path, beside: pathlib.Path | None, state: object, where: str, asked: Asked
) -> Table:
    arrays = read_arrays(path)
    if beside is None:
        return make_table(arrays, where, asked)
    found = [*read_arrays(beside).values()]
    if len(found) != 1 or found[0].dtype.hasobject:
        raise UserError(f"{short_path(beside)} is no .npy file of labels")
    return make_table(arrays, where, dataclasses.replace(asked, labels="auto"), found[0].load())


@functools.cache
def _digits(asked: Asked) -> Table:
    from sklearn.datasets import load_digits

    digits = load_digits()
    arrays = {"images": digits.images.astype(np.uint8), "labels": digits.target}
    if asked.num_levels is None and asked.span is None:
        asked = dataclasses.replace(asked, num_levels=_DIGITS_LEVELS)
    return make_table(in_memory(arrays), "scikit-learn's digits", asked)


class TableExamples(Examples):
    """Some images of a table, as levels.

    Args:
      table: where they are.
      parts: splits, and positions in each of them.
    """

    def __init__(self, table: Table, parts: Sequence[tuple[str, np.ndarray]]):
        self._table = table
        self._parts = []
        for split, positions in parts:
            name, rows = table.rows[split]
            self._parts.append((name, rows[positions]))
        self._starts = np.cumsum([0, *(len(rows) for _, rows in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, indices: Sequence[int]) -> list[Example]:
        wanted = np.asarray(indices, np.int64)
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        examples: list[Example] = [{}] * len(wanted)
        part_of = np.searchsorted(self._starts, wanted, side="right") - 1
        for number in np.unique(part_of):
            places = np.flatnonzero(part_of == number)
            if not 0 <= number < len(self._parts):
                raise IndexError(f"there are {len(self)} examples")
            name, rows = self._parts[number]
            chosen = rows[wanted[places] - self._starts[number]]
            for place, example in zip(places, self._read(name, chosen), strict=True):
                examples[place] = example
        return examples

    def _read(self, name: str, rows: np.ndarray) -> list[Example]:
        table = self._table
        levels = table.quantizer(table.images[name][rows])
        levels = levels.reshape(len(rows), *table.spec.shape)
        if table.classes is None:
            return [{"image": image} for image in levels]
        labels = table.classes.labels[name][rows].tolist()
        return [{"image": i, "label": label} for i, label in zip(levels, labels, strict=True)]


def check_array_fields(config: object) -> None:
    """Checks the fields that `Arrays` and `ArrayData` have in common; raises ConfigError."""
    check_parts(config, "valid_fraction", "test_fraction")
    name = type(config).__name__
    span, num_levels = config.range, config.num_levels  # type: ignore[attr-defined]
    if span is not None and not (np.isfinite(span).all() and span[0] < span[1]):
        raise ConfigError(f"{name}.range must be two numbers, the lower one first, not {span}")
    if num_levels is not None and not 2 <= num_levels <= 256:
        raise ConfigError(f"{name}.num_levels must be 2 to 256, not {num_levels}")
