"""CIFAR-10 and CIFAR-100, from archives of their binary version."""

import pathlib
import tarfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorflow_datasets.image_classification import cifar as theirs

from gm_jax.data.pixels import to_png
from gm_jax.data.store.public.from_files import FromFiles, Keyed

_SIDE = 32


class Cifar10(FromFiles, theirs.Cifar10):
    """TFDS's cifar10."""

    name = "cifar10"

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Keyed]]:
        layout = self._cifar_info
        names = [*layout.label_files, *layout.train_files, *layout.test_files]
        (archive,) = self._files.values()
        members = _members(archive, [layout.prefix + name for name in names])
        for key, name in zip(layout.label_keys, layout.label_files, strict=True):
            lines = members[layout.prefix + name].decode().split("\n")
            self.info.features[key].names = [line for line in lines if line]
        return {
            split: self._counted(
                self._read(split, b"".join(members[layout.prefix + name] for name in files))
            )
            for split, files in (("train", layout.train_files), ("test", layout.test_files))
        }

    def _read(self, split: str, content: bytes) -> Iterator[Keyed]:
        keys = self._cifar_info.label_keys
        rows = np.frombuffer(content, np.uint8).reshape(-1, len(keys) + 3 * _SIDE * _SIDE)
        for i, row in enumerate(rows):
            pixels = row[len(keys) :].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)
            labels = {key: int(row[k]) for k, key in enumerate(keys)}
            image = to_png(np.ascontiguousarray(pixels))
            yield i, {**labels, "id": f"{split}_{i:05d}", "image": image}


class Cifar100(Cifar10, theirs.Cifar100):
    """TFDS's cifar100."""

    name = "cifar100"


def _members(archive: pathlib.Path, names: list[str]) -> dict[str, bytes]:
    """Files of an archive, read in one go: 200 MB at most.

    Raises:
      ValueError: it has not all of them.
    """
    found = {}
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            if member.name in names and (content := tar.extractfile(member)) is not None:
                found[member.name] = content.read()
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{archive} has no {', '.join(missing)}")
    return found
