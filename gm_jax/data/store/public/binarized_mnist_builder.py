"""The fixed binarized MNIST, from its files of text."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from gm_jax.data.pixels import to_png
from gm_jax.data.store.public.from_files import FromFiles, Keyed

_PARTS = {"train": "train", "validation": "valid", "test": "test"}


_Theirs: Any = tfds.builder_cls("binarized_mnist")


class BinarizedMnist(FromFiles, _Theirs):
    """TFDS's binarized_mnist: pixels that are 0 or 1, no labels."""

    name = "binarized_mnist"

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Keyed]]:
        return {split: self._counted(self._read(split)) for split in _PARTS}

    def _read(self, split: str) -> Iterator[Keyed]:
        with self._files[f"binarized_mnist_{_PARTS[split]}.amat"].open("rb") as lines:
            for i, line in enumerate(lines):
                bits = np.frombuffer(b"".join(line.split()), np.uint8) - ord("0")
                if bits.size != 28 * 28 or bits.max() > 1:
                    raise ValueError(f"line {i + 1:,} is not 784 times 0 or 1")
                yield i, {"image": to_png(bits.reshape(28, 28, 1))}
