"""The fixed binarized MNIST that exact likelihoods are compared on (Larochelle & Murray, 2011)."""

import dataclasses
import pathlib
import zipfile

import numpy as np

from gm_jax.data.source import ArrayExamples, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.places import data_dirs
from gm_jax.data.store.prepared import find_prepared
from gm_jax.data.store.public.automatic import prepare_if_small
from gm_jax.data.store.split_expressions import full_names, split_indices
from gm_jax.data.store.tfds import PreparedExamples
from gm_jax.errors import UserError

_FILE = "binarized_mnist.npz"
_KEYS = {"train": "train_bits", "validation": "valid_bits", "test": "test_bits"}


@dataclasses.dataclass(frozen=True)
class BinarizedMnist(Source):
    """50,000 / 10,000 / 10,000 images of 28x28 pixels in {0, 1}, without labels.

    Splits "train", "validation" (also "valid") and "test". Read from TFDS's binarized_mnist where
    it is prepared, else from binarized_mnist.npz in a data directory, which holds `train_bits`,
    `valid_bits` and `test_bits`: `np.packbits(images, axis=1)` of images [N, 784]. Where there is
    neither, TFDS's is prepared, unless GM_JAX_OFFLINE is set.
    """

    @property
    def spec(self) -> DataSpec:
        return DataSpec((28, 28, 1), num_levels=2)

    def open(self, split: str) -> Examples:
        split = full_names(split)
        if _bits_path() is None:
            prepare_if_small("binarized_mnist")
        prepared = find_prepared("binarized_mnist")
        if prepared is not None and prepared.file_format == "array_record":
            return PreparedExamples(prepared, split, num_levels=2)
        bits = _read_bits()
        parts = split_indices(split, {name: len(array) for name, array in bits.items()})
        packed = np.concatenate([bits[name][indices] for name, indices in parts])  # [N, 98]
        images = np.unpackbits(packed, axis=1, count=784)
        return ArrayExamples(images.reshape(-1, 28, 28, 1))


def _bits_path() -> pathlib.Path | None:
    return next((d / _FILE for d in data_dirs() if (d / _FILE).is_file()), None)


def _read_bits() -> dict[str, np.ndarray]:
    """The packed bits, uint8 [N, 98], of every split."""
    path = _bits_path()
    if path is None:
        looked = ", ".join(map(str, data_dirs()))
        raise UserError(
            f"neither TFDS's binarized_mnist nor {_FILE} is in {looked}; "
            "run: gm-jax data prepare binarized_mnist"
        )
    return _load(path)


def _load(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:
            bits = {name: file[key] for name, key in _KEYS.items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read: it has to hold {', '.join(_KEYS.values())}"
        ) from error
    for name, array in bits.items():
        if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != 98:
            raise UserError(
                f"{_KEYS[name]} in {path} has to be uint8 [N, 98], "
                f"not {array.dtype} {list(array.shape)}"
            )
    return bits
