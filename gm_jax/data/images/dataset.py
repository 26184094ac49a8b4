"""Images as a TFDS dataset in array_record, written one after the other, without TensorFlow."""

import io
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

VERSION = "1.0.0"

_SHARD = 10_000  # images in a file
_AT_ONCE = 500  # images between two looks at the progress


class Dataset(NamedTuple):
    """What is written.

    Attributes:
      shape: of the images, [H, W, C].
      splits: the names of the images in each split.
      classes: names of the labels; empty where there are none.
      labels: each image's, by its name.
      png: gives an image, by its name.
    """

    shape: tuple[int, int, int]
    splits: Mapping[str, Sequence[str]]
    classes: Sequence[str]
    labels: Mapping[str, int]
    png: Callable[[str], bytes]


def write_dataset(
    folder: pathlib.Path, name: str, dataset: Dataset, watch: Callable[[int], None]
) -> None:
    """Writes the dataset called `name` into `folder`/`VERSION`; "file" is an image's own name.

    In each split the images lie in the order of a hash of their names, as TFDS has them.

    Args:
      folder: is made.
      name: of the dataset.
      dataset: what is written.
      watch: is told how many more images are written.
    """
    import tensorflow_datasets as tfds

    path = folder / VERSION
    path.mkdir(parents=True)
    features: dict[str, Any] = {
        "image": tfds.features.Image(shape=dataset.shape, encoding_format="png"),
        "file": tfds.features.Text(),
    }
    if dataset.classes:
        features["label"] = tfds.features.ClassLabel(num_classes=len(dataset.classes))
    info = tfds.core.DatasetInfo(
        builder=tfds.core.dataset_info.DatasetIdentity(
            name=name,
            version=tfds.core.Version(VERSION),
            data_dir=os.fspath(path),
            module_name=__name__,
        ),
        description="Images of a folder, all of one size.",
        features=tfds.features.FeaturesDict(features),
        metadata=tfds.core.MetadataDict(classes=[_plain(label) for label in dataset.classes]),
    )
    # A builder would hold a gigabyte in memory, and needs TensorFlow beyond that.
    writer = tfds.core.SequentialWriter(info, _SHARD, file_format="array_record")
    writer.initialize_splits(list(dataset.splits))
    for split, names in dataset.splits.items():
        for some in itertools.batched(_in_order(split, names), _AT_ONCE):
            writer.add_examples({split: list(_examples(dataset, some))})
            watch(len(some))
    writer.close_all()


def _in_order(split: str, names: Sequence[str]) -> list[str]:
    from tensorflow_datasets.core import hashing

    hasher = hashing.Hasher(split)
    return sorted(names, key=lambda name: hasher.hash_key(_plain(name)))


def _examples(dataset: Dataset, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        # As PNG bytes, because TFDS encodes arrays with TensorFlow.
        example = {"image": io.BytesIO(dataset.png(name)), "file": os.fsencode(name)}
        if dataset.labels:
            example["label"] = dataset.labels[name]
        yield example


def _plain(name: str) -> str:
    """A name with what is no UTF-8 in it spelt out."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
