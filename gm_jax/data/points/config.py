"""A table of one's own as the data of an experiment."""

import dataclasses
from pathlib import Path

from gm_jax.data.config import AnyData
from gm_jax.data.points.source import Points, check_points_fields
from gm_jax.data.points.table import SklearnName
from gm_jax.data.transforms import Transform


@dataclasses.dataclass(frozen=True)
class PointData(AnyData):
    """The rows of a table as points."""

    path: Path | str | None = None
    """A .csv file of numbers, with a header or without, or a .npy file [N, D] (None: the table
    `sklearn`)."""
    _: dataclasses.KW_ONLY
    sklearn: SklearnName = "iris"
    """A small table of scikit-learn, with its labels, that is taken where no path is given."""
    label: str | None = None
    """Column of the file that has the labels, whole numbers or names: by its own name, or by its
    number from 0."""
    columns: tuple[str, ...] = ()
    """Columns of the file to take, likewise; none: all but the label."""
    standardize: bool = False
    """Whether the model sees each column with mean 0 and deviation 1; samples and densities are in
    the table's own units all the same."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""
    valid_fraction: float = 0.10
    """The part of the rows that is the split validation."""
    test_fraction: float = 0.10
    """The part of the rows that is the split test."""
    split_seed: int = 0
    """Of the splits; the experiment's seed changes the order of the rows only."""

    def __post_init__(self) -> None:
        check_points_fields(self)
        super().__post_init__()

    @property
    def source(self) -> Points:
        """The table."""
        return Points(
            self.path,
            sklearn=self.sklearn,
            label=self.label,
            columns=self.columns,
            standardize=self.standardize,
            valid_fraction=self.valid_fraction,
            test_fraction=self.test_fraction,
            split_seed=self.split_seed,
        )

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """None: transforms are for images."""
        return ()
