"""MNIST, Fashion-MNIST, KMNIST and EMNIST, from files in the IDX format."""

import gzip
import itertools
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorflow_datasets.image_classification import mnist as theirs

from gm_jax.data.pixels import to_png
from gm_jax.data.store.public.from_files import FromFiles, Keyed

_PARTS = {"train": "train", "test": "t10k"}  # splits, and how their files are called


class Mnist(FromFiles, theirs.MNIST):
    """TFDS's mnist."""

    name = "mnist"

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Keyed]]:
        return {split: self._counted(self._read(split)) for split in _PARTS}

    def _read(self, split: str) -> Iterator[Keyed]:
        images = self._files[f"{_PARTS[split]}-images-idx3-ubyte.gz"]
        labels = self._files[f"{_PARTS[split]}-labels-idx1-ubyte.gz"]
        with gzip.GzipFile(images) as of_images, gzip.GzipFile(labels) as of_labels:
            yield from read_idx(of_images, of_labels)


class FashionMnist(Mnist, theirs.FashionMNIST):
    """TFDS's fashion_mnist."""

    name = "fashion_mnist"


class Kmnist(Mnist, theirs.KMNIST):
    """TFDS's kmnist."""

    name = "kmnist"


class Emnist(Mnist, theirs.EMNIST):
    """TFDS's emnist, in all its configurations; images lie on their side, as there."""

    name = "emnist"

    def _read(self, split: str) -> Iterator[Keyed]:
        config = self.builder_config
        most = {"train": config.train_examples, "test": config.test_examples}[split]
        with zipfile.ZipFile(self._files["gzip.zip"]) as archive:

            def unpacked(kind: str) -> gzip.GzipFile:
                name = f"gzip/emnist-{config.name}-{split}-{kind}-ubyte.gz"
                return gzip.GzipFile(fileobj=archive.open(name))

            with unpacked("images-idx3") as of_images, unpacked("labels-idx1") as of_labels:
                # The files of letters hold more than TFDS takes.
                yield from itertools.islice(read_idx(of_images, of_labels), most)


def read_idx(of_images: gzip.GzipFile, of_labels: gzip.GzipFile) -> Iterator[Keyed]:
    """Examples of a pair of files, keyed by their place.

    Raises:
      ValueError: they are no such files, or end early.
    """
    num, height, width = _header(of_images, 3)
    if _header(of_labels, 1) != [num]:
        raise ValueError(f"there are {num:,} images, and another number of labels")
    for i in range(num):
        pixels = np.frombuffer(of_images.read(height * width), np.uint8)
        label = of_labels.read(1)
        yield i, {"image": to_png(pixels.reshape(height, width, 1)), "label": label[0]}


def _header(file: gzip.GzipFile, num_axes: int) -> list[int]:
    """The lengths of the axes."""
    start = file.read(4 + 4 * num_axes)
    if start[:4] != bytes([0, 0, 8, num_axes]):
        raise ValueError("it is no IDX file of bytes")
    return [int(n) for n in np.frombuffer(start[4:], ">u4")]
