"""Labels of any kind as classes 0 .. K - 1."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError

_MOST_SAID = 6


class Classes(NamedTuple):
    """Labels as classes.

    Attributes:
      values: what stood for each class, sorted, [K].
      labels: the class of each image by split, int32 [N].
    """

    values: np.ndarray
    labels: dict[str, np.ndarray]

    def __str__(self) -> str:
        """How many there are, and what they were called unless that is 0 .. K - 1."""
        num = len(self.values)
        if self.values.dtype.kind in "iu" and np.array_equal(self.values, np.arange(num)):
            return f"{num} labels"
        said = [str(v) for v in self.values]
        if num > _MOST_SAID:
            said = [*said[:2], "...", said[-1]]
        return f"{num} labels ({', '.join(said)} as 0 to {num - 1})"


def find_classes(labels: Mapping[str, np.ndarray], sizes: Mapping[str, int], where: str) -> Classes:
    """The distinct values of labels, sorted, are the classes 0 .. K - 1.

    Args:
      labels: whole numbers (of any type) or text, by split, [N] or [N, 1].
      sizes: N of each split.
      where: they are from, for messages.

    Raises:
      UserError: labels of another shape or length than the images, or of another kind.
    """
    flat = {}
    for split, array in labels.items():
        num = sizes[split]
        if array.shape not in ((num,), (num, 1)):
            of = "" if len(labels) == 1 else f" of {split}"
            raise UserError(
                f"{where} has labels{of} of shape {list(array.shape)}, but needs one for each of "
                f"{num:,} images: [{num}]"
            )
        flat[split] = _whole(np.asarray(array).reshape(-1), where)
    values, codes = np.unique(np.concatenate([*flat.values()]), return_inverse=True)
    ends = np.cumsum([len(array) for array in flat.values()])[:-1]
    parts = np.split(codes.reshape(-1).astype(np.int32), ends)
    return Classes(values, dict(zip(flat, parts, strict=True)))


def _whole(labels: np.ndarray, where: str) -> np.ndarray:
    """Labels as they are; floats that are whole as int64."""
    if labels.dtype.kind in "biuU":
        return labels
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels % 1 == 0).all():
        return labels.astype(np.int64)
    raise UserError(
        f"{where} has labels of {labels.dtype}, but labels are whole numbers or text: leave them "
        'out by labels="none"',
        "--data.labels none",
    )
