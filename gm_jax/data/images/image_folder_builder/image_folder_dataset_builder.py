"""A folder of images as a TFDS dataset; prepared without TensorFlow."""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds


class ImageFolder(tfds.core.GeneratorBasedBuilder):
    """Images of one's own as squares of one size. "file" is the name below the folder."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = None

    def __init__(
        self,
        *,
        shape: tuple[int, int, int],
        splits: Mapping[str, Sequence[str]],
        classes: Sequence[str],
        labels: Mapping[str, int],
        png: Callable[[str], bytes],
        **rest: Any,
    ):
        """As any builder.

        Args:
          shape: of the images, [H, W, C].
          splits: the names of the images in each split.
          classes: names of the labels; empty where there are none.
          labels: each image's, by its name.
          png: gives an image, by its name.
          rest: where to write.
        """
        self._shape, self._splits, self._png = shape, splits, png
        self._classes, self._labels = classes, labels
        super().__init__(**rest)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=self._shape, encoding_format="png"),
            "file": tfds.features.Text(),
        }
        if self._classes:
            features["label"] = tfds.features.ClassLabel(num_classes=len(self._classes))
        return tfds.core.DatasetInfo(
            builder=self,
            description="Images of a folder, as squares.",
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(classes=[_plain(name) for name in self._classes]),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        return {split: self._generate_examples(names) for split, names in self._splits.items()}

    def _generate_examples(self, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in names:
            # As PNG bytes, because TFDS encodes arrays with TensorFlow.
            example = {"image": io.BytesIO(self._png(name)), "file": os.fsencode(name)}
            if self._labels:
                example["label"] = self._labels[name]
            yield _plain(name), example


def _plain(name: str) -> str:
    """A name with what is no UTF-8 in it spelt out."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
