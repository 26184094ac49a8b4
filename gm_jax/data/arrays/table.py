"""Images and labels in arrays: found, checked, and split."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from gm_jax.data.arrays.classes import Classes, find_classes
from gm_jax.data.arrays.files import Stored
from gm_jax.data.arrays.levels import Quantizer, choose_quantizer
from gm_jax.data.arrays.names import EVERYTHING, name_arrays
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.name_splits import SPLITS
from gm_jax.data.store.row_splits import split_rows
from gm_jax.errors import UserError

MOST_CHANNELS = 16


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a user says of the arrays; see `gm_jax.data.Arrays`."""

    images: str | None = None
    labels: str = "auto"
    span: tuple[float, float] | None = None
    num_levels: int | None = None
    valid_fraction: float = 0.10
    test_fraction: float = 0.05


@dataclasses.dataclass(frozen=True)
class Table:
    """Images and labels that were looked at.

    Attributes:
      where: they are from, for messages.
      images: arrays [N, H, W] or [N, H, W, C] by the split that each is or is cut into.
      classes: of the labels; None where there are none.
      quantizer: makes levels of the values.
      rows: of each split, and the array that they are of.
    """

    where: str
    images: dict[str, np.ndarray]
    classes: Classes | None
    quantizer: Quantizer
    rows: dict[str, tuple[str, np.ndarray]]

    @property
    def spec(self) -> DataSpec:
        """Of one image."""
        shape = next(iter(self.images.values())).shape[1:]
        num_classes = None if self.classes is None else len(self.classes.values)
        channels = () if len(shape) == 3 else (1,)
        return DataSpec((*shape, *channels), self.quantizer.num_levels, num_classes)

    @property
    def sizes(self) -> dict[str, int]:
        """Images of each split."""
        return {split: len(rows) for split, (_, rows) in self.rows.items()}

    def __str__(self) -> str:
        """One line: what there is, what becomes of values and labels, how it is split."""
        array, quantizer = next(iter(self.images.values())), self.quantizer
        values = f"{array.dtype}, {quantizer.num_levels} levels"
        if not quantizer.is_identity:
            values = (
                f"{array.dtype} from {quantizer.low:g} to {quantizer.high:g} as "
                f"{quantizer.num_levels} levels"
            )
        labels = "no labels" if self.classes is None else str(self.classes)
        sizes = " / ".join(f"{size:,} {split}" for split, size in self.sizes.items())
        shape = "x".join(map(str, self.spec.shape))
        return (
            f"{self.where}: {sum(self.sizes.values()):,} images {shape}, {values}, {labels}; "
            f"{sizes}"
        )


def make_table(
    arrays: Mapping[str, Stored],
    where: str,
    asked: Asked,
    labels: np.ndarray | None = None,
) -> Table:
    """Finds the images among arrays, and looks at shapes, labels and values.

    Args:
      arrays: by name.
      where: they are from, for messages.
      asked: of them.
      labels: of all images, where they are not among the arrays.

    Raises:
      UserError: there are no images, or what there is does not fit.
    """
    if labels is None:
        named = name_arrays(arrays, where, asked.images, asked.labels)
    else:
        named = name_arrays(arrays, where, asked.images, "none")
    images = {split: _loaded(arrays, name, where) for split, name in named.images.items()}
    for split, array in images.items():
        _check_shape(array, _called(where, named.images[split], arrays))
    _check_alike(images, named.images, where)
    sizes = {split: len(array) for split, array in images.items()}
    found = {split: _loaded(arrays, name, where) for split, name in named.labels.items()}
    if labels is not None:
        found = {EVERYTHING: labels}
    classes = find_classes(found, sizes, where) if found else None
    quantizers = {
        choose_quantizer(
            array, _called(where, named.images[split], arrays), asked.span, asked.num_levels
        )
        for split, array in images.items()
    }
    rows = _rows(sizes, asked, where)
    return Table(where, images, classes, quantizers.pop(), rows)


def _loaded(arrays: Mapping[str, Stored], name: str, where: str) -> np.ndarray:
    if arrays[name].dtype.hasobject:
        raise UserError(
            f"{_called(where, name, arrays)} holds Python objects: give an array of numbers "
            "(pickles are never loaded)"
        )
    return arrays[name].load()


def _called(where: str, name: str, arrays: Mapping[str, Stored]) -> str:
    return where if len(arrays) == 1 else f"{name} in {where}"


def _check_shape(array: np.ndarray, what: str) -> None:
    shape = list(array.shape)
    if len(shape) not in (3, 4):
        raise UserError(f"{what} is {shape}: images are [N, H, W] or [N, H, W, C]")
    if 0 in shape:
        raise UserError(f"{what} is {shape}: there is no image in it")
    if len(shape) == 4 and shape[3] > MOST_CHANNELS:
        hint = ""
        if shape[1] <= MOST_CHANNELS:
            hint = "; if the second axis holds them, give numpy.moveaxis(images, 1, -1)"
        raise UserError(
            f"{what} is {shape}: the last axis holds channels, 1 to {MOST_CHANNELS} of them{hint}"
        )


def _check_alike(images: dict[str, np.ndarray], names: dict[str, str], where: str) -> None:
    kinds = {split: (array.shape[1:], array.dtype) for split, array in images.items()}
    first = next(iter(kinds))
    for split, kind in kinds.items():
        if kind != kinds[first]:
            raise UserError(
                f"{where}: {names[first]} holds {_kind(images[first])}, but {names[split]} "
                f"{_kind(images[split])}"
            )


def _kind(array: np.ndarray) -> str:
    return f"images {'x'.join(map(str, array.shape[1:]))} of {array.dtype}"


def _rows(sizes: dict[str, int], asked: Asked, where: str) -> dict[str, tuple[str, np.ndarray]]:
    """The rows of each split; what the file has not is drawn from its images to train on."""
    drawn_from = EVERYTHING if EVERYTHING in sizes else "train"
    fractions = {"validation": asked.valid_fraction, "test": asked.test_fraction}
    wanted = {split: part for split, part in fractions.items() if split not in sizes}
    parts = (wanted.get("validation", 0.0), wanted.get("test", 0.0))
    try:
        drawn = split_rows(sizes[drawn_from], *parts, seed=0, kind="images")
    except UserError as error:
        raise error.of(where) from None
    found = {split: (drawn_from, rows) for split, rows in drawn.items()}
    own = {split: (split, np.arange(num)) for split, num in sizes.items() if split not in drawn}
    found |= {split: part for split, part in own.items() if split != EVERYTHING}
    return {split: found[split] for split in SPLITS if split in found}
