"""Rows of a table as points: a source."""

import dataclasses
import pathlib

import numpy as np

from gm_jax.data.points.table import SklearnName, Table, read_table, sklearn_table
from gm_jax.data.source import ArrayExamples, Examples, Source
from gm_jax.data.spec import Columns, DataSpec
from gm_jax.data.store.places import find_path, short_path
from gm_jax.data.store.row_splits import split_rows
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import ConfigError, UserError, check_not_negative, check_parts

_NAMES_SAID = 6


@dataclasses.dataclass(frozen=True)
class Points(Source):
    """The rows of a table as points of D numbers; splits "train", "validation", "test".

    A .csv file, with a header or without (or .tsv; "," or ";" or a tab between values), or a .npy
    file of numbers [N, D]. A point is float32 [1, 1, D], in the table's own units. `docs/data.md`
    says how rows are split.
    """

    path: pathlib.Path | str | None = None
    """Of the file: from the working folder, or else from a data folder (None: `sklearn`)."""
    _: dataclasses.KW_ONLY
    sklearn: SklearnName = "iris"
    """A small table of scikit-learn, with its labels, that is taken where no path is given."""
    label: str | None = None
    """Column of a file that has the labels, whole numbers or names: by its own name, or by its
    number from 0. Without one there are no labels."""
    columns: tuple[str, ...] = ()
    """Columns of a file to take, likewise; none: all but the label."""
    standardize: bool = False
    """Whether models see each column with mean 0 and deviation 1, as it has in the split train.
    Batches, samples and densities are in the table's own units all the same."""
    valid_fraction: float = 0.10
    """Of the rows, for the split validation."""
    test_fraction: float = 0.10
    """Of the rows, for the split test."""
    split_seed: int = 0
    """Of the splits."""

    def __post_init__(self) -> None:
        check_points_fields(self)

    @property
    def spec(self) -> DataSpec:
        table = self._table()
        shift, scale = self._standardization(table) if self.standardize else ((), ())
        columns = Columns(table.names, shift, scale, table.label, table.classes)
        num_classes = None if table.labels is None else len(table.classes)
        shape = (1, 1, len(table.names))
        return DataSpec(shape, num_classes=num_classes, continuous=True, columns=columns)

    def open(self, split: str) -> Examples:
        table = self._table()
        rows = self._rows(table)
        parts = split_indices(split, {name: len(found) for name, found in rows.items()})
        chosen = np.concatenate([rows[name][indices] for name, indices in parts])
        labels = None if table.labels is None else table.labels[chosen]
        return ArrayExamples(table.values[chosen][:, None, None], labels)

    def summary(self) -> str:
        """One line: how many points and columns, whether standardized, and how they are split."""
        table = self._table()
        names = ", ".join(table.names[:_NAMES_SAID]) + ", ..." * (len(table.names) > _NAMES_SAID)
        facts = [f"{len(table.values):,} points", f"{len(table.names):,} columns ({names})"]
        facts.append("standardized for the model" if self.standardize else "as they are")
        facts.append(f"{len(table.classes)} labels" if table.classes else "no labels")
        sizes = " / ".join(f"{len(rows):,} {name}" for name, rows in self._rows(table).items())
        return f"{self._title}: {', '.join(facts)}; {sizes}"

    @property
    def _title(self) -> str:
        if self.path is None:
            return f"scikit-learn's {self.sklearn}"
        return short_path(find_path(self.path, "file"))

    def _table(self) -> Table:
        if self.path is None:
            return sklearn_table(self.sklearn)
        return read_table(find_path(self.path, "file"), self.label, self.columns)

    def _rows(self, table: Table) -> dict[str, np.ndarray]:
        """The rows of each split, in order.

        Raises:
          UserError: there are too few for each split to have one.
        """
        try:
            return split_rows(
                len(table.values),
                self.valid_fraction,
                self.test_fraction,
                self.split_seed,
                least_train=1 + self.standardize,
            )
        except UserError as error:
            raise error.of(self._title) from error

    def _standardization(self, table: Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each column over the split train.

        Raises:
          UserError: a column is constant there.
        """
        train = table.values[self._rows(table)["train"]].astype(np.float64)
        mean, deviation = train.mean(0), train.std(0)
        # As float32 sees it: what is lost in its rounding cannot be told from a constant.
        constant = (train == train[0]).all(0) | (deviation <= 2**-23 * np.abs(mean))
        if constant.any():
            column = int(np.argmax(constant))
            raise UserError(
                f"{self._title}: column {table.names[column]} is always {train[0, column]:g} in "
                "train, and cannot be standardized: leave it out, or take the values as they are",
                "--data.columns, --data.no-standardize",
            )
        return tuple(mean.tolist()), tuple(deviation.tolist())


def check_points_fields(config: object) -> None:
    """Checks the fields that `Points` and `PointData` have in common; raises ConfigError."""
    path = config.path  # type: ignore[attr-defined]
    if path is not None:  # what a user gives and what experiment.json holds are the same
        object.__setattr__(config, "path", str(path))
    for field in ("label", "columns"):
        if path is None and getattr(config, field):
            raise ConfigError(
                f"{type(config).__name__}.{field} names columns of a file: give its path, too",
                "--data.path FILE",
            )
    check_not_negative(config, "split_seed")
    check_parts(config, "valid_fraction", "test_fraction")
