"""Any image dataset of TFDS, read from its array_record preparation without TensorFlow."""

import dataclasses
import functools
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm_jax.data.pixels import MODES, to_mode, to_pixels
from gm_jax.data.source import Example, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.prepared import Prepared, damaged, open_builder
from gm_jax.data.store.public.automatic import prepared_or_made
from gm_jax.data.store.split_expressions import bad_split
from gm_jax.errors import UserError


class PreparedExamples(Examples):
    """A split of a prepared dataset; of its features only "image" and "label" are handed on."""

    def __init__(self, prepared: Prepared, split: str, num_levels: int = 256):
        import tensorflow_datasets as tfds

        self._prepared = prepared
        self._split = split
        self._spec = prepared_spec(prepared, num_levels)
        try:
            # Decoded here rather than by TFDS, which takes OpenCV where it is installed: another
            # JPEG decoder gives other pixels, and the numbers would depend on the machine.
            self._records = open_builder(prepared).as_data_source(
                split=split, decoders={"image": tfds.decode.SkipDecoding()}
            )
        except (ValueError, KeyError, AssertionError, NotImplementedError) as error:
            raise bad_split(split, prepared.splits) from error
        try:
            self._length = len(self._records)
        except ValueError:  # "train[10:5]": TFDS counts -5
            self._length = 0
        except (RuntimeError, OSError) as error:
            raise damaged(prepared, error) from error

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> list[Example]:
        try:
            # Many at once: array_record then takes a twentieth of the time for each.
            return [self._decode(record) for record in self._records.__getitems__(list(indices))]
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            raise damaged(self._prepared, error) from error

    def _decode(self, record: Mapping[str, Any]) -> Example:
        from PIL import Image

        with Image.open(io.BytesIO(record["image"])) as file:
            image = to_pixels(to_mode(file, self._spec.shape[-1]))
        example: dict[str, Any] = {"image": image}
        if self._spec.num_classes is not None:
            example["label"] = int(record["label"])
        return example

    @functools.cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """A hash of the split's name and of the folder's file names, sizes and times."""
        files = sorted(self._prepared.path.iterdir())
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        text = repr((str(self._prepared.path.resolve()), self._split, stats))
        return hashlib.sha1(text.encode()).hexdigest()


def prepared_spec(prepared: Prepared, num_levels: int = 256) -> DataSpec:
    """Shape and classes of a prepared dataset, read from its features.

    Returns:
      shape [H, W, C], or [0, 0, C] where the images differ in size.

    Raises:
      UserError: there is no uint8 feature "image" of 1, 3 or 4 channels, or "label" is no
        ClassLabel.
    """
    import tensorflow_datasets as tfds

    features = dict(open_builder(prepared).info.features.items())
    image = features.get("image")
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise UserError(
            f"{prepared.name} cannot be used: it has no uint8 image feature named image "
            f"(it has: {', '.join(features)})"
        )
    height, width, channels = image.shape
    if channels not in MODES:
        raise UserError(f"{prepared.name} cannot be used: its images have {channels} channels")
    label = features.get("label")
    if label is not None and not isinstance(label, tfds.features.ClassLabel):
        raise UserError(
            f"{prepared.name} cannot be used: its feature label is a {type(label).__name__}, "
            "not a ClassLabel"
        )
    shape = (height, width, channels) if height and width else (0, 0, channels)
    return DataSpec(shape, num_levels, label.num_classes if label is not None else None)


@dataclasses.dataclass(frozen=True)
class Tfds(Source):
    """An image dataset of TFDS, by its name there.

    Small public ones that are not prepared are, when they are first read: one line says so. Not
    where GM_JAX_OFFLINE is set; then, and for others, an error names the command that does.
    """

    name: str = "mnist"
    """Of the dataset, as TFDS calls it: mnist, cifar10, celeb_a, celeb_a_hq/256."""
    version: str | None = None
    """Of the preparation to read; the newest one if none is given."""

    @property
    def spec(self) -> DataSpec:
        return prepared_spec(prepared_or_made(self.name, self.version))

    def open(self, split: str) -> Examples:
        return PreparedExamples(prepared_or_made(self.name, self.version), split)
