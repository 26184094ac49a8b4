"""Arrays of images of one's own as the data of an experiment."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar

from gm_jax.data.arrays.source import Arrays, check_array_fields
from gm_jax.data.config import AnyData
from gm_jax.data.transform_text import TRANSFORMS
from gm_jax.data.transforms import Transform


@dataclasses.dataclass(frozen=True)
class ArrayData(AnyData):
    """Images of any size and of 1 to 16 channels, in an .npz or .npy file."""

    path: Path | str | None = None
    """An .npz or .npy file of images [N, H, W, C] or [N, H, W] (None: scikit-learn's digits)."""
    range: tuple[float, float] | None = None
    """Least and greatest value that there can be, as of 0 to 1: needed for real numbers, and for
    whole ones that are no levels from 0 to 255."""
    num_levels: int | None = None
    """Levels that the values become, at most 256 (None: 256, or as many as the range has)."""
    _: dataclasses.KW_ONLY
    images: str | None = None
    """Name of the array of images in an .npz, where it has none of the usual ones."""
    labels: str = "auto"
    """Of an .npz: name of the array of labels (auto: that with one of the usual names); of an .npy:
    path of an .npy file of them, from the images' folder; none: they are left out."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""
    augment: Annotated[tuple[Transform, ...], TRANSFORMS] = ()
    """Done to the images: fixed transforms first, then random ones. On the command line, for
    example: quantize:16 horizontal_flip."""
    valid_fraction: float = 0.10
    """The part that is the split validation, where the file has none."""
    test_fraction: float = 0.05
    """The part that is the split test, where the file has none."""

    _transforms_field: ClassVar[str] = "augment"

    def __post_init__(self) -> None:
        if self.path is not None:  # what a user gives and what experiment.json holds are the same
            object.__setattr__(self, "path", str(self.path))
        check_array_fields(self)
        super().__post_init__()

    @property
    def source(self) -> Arrays:
        """The file, or else scikit-learn's digits."""
        return Arrays(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Arrays)})

    @property
    def transforms(self) -> tuple[Transform, ...]:
        return self.augment
