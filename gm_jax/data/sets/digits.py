"""Scikit-learn's 1,797 real digits: the data that are always there."""

import contextlib
import dataclasses
import io
import pathlib

from gm_jax.data.source import Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.making import preparing
from gm_jax.data.store.places import cache_dir, data_dirs, is_writable
from gm_jax.data.store.prepared import Prepared, find_prepared
from gm_jax.data.store.tfds import PreparedExamples
from gm_jax.errors import UserError

DIGITS_NAME = "sklearn_digits"


@dataclasses.dataclass(frozen=True)
class Digits(Source):
    """1,797 real 8x8 digits, 17 levels, 10 classes; every sixth image is in "test".

    "train" has 1,497 images and "test" 300. They come with scikit-learn and are prepared on first
    use, in a second, without a network.
    """

    @property
    def spec(self) -> DataSpec:
        return DataSpec((8, 8, 1), num_levels=17, num_classes=10)

    def open(self, split: str) -> Examples:
        prepared = find_prepared(DIGITS_NAME) or prepare_digits()
        return PreparedExamples(prepared, split, num_levels=17)


def prepare_digits(folder: pathlib.Path | None = None) -> Prepared:
    """Prepares the digits in `folder`; several processes may do so at once.

    Args:
      folder: the first writable one of the cache and the data directories unless given.

    Raises:
      UserError: no folder can be written to.
    """
    folders = [folder] if folder is not None else [cache_dir(), *data_dirs()]
    target = next((f for f in folders if is_writable(f)), None)
    if target is None:
        tried = ", ".join(map(str, folders))
        raise UserError(
            f"none of {tried} can be written to; set GM_JAX_DATA to a folder that can be"
        )
    with preparing(target, DIGITS_NAME) as aside:
        _write(aside)
    prepared = find_prepared(DIGITS_NAME, dirs=(target,))
    assert prepared is not None
    return prepared


def _write(folder: pathlib.Path) -> None:
    import tensorflow_datasets as tfds

    from gm_jax.data.sets.digits_builder.sklearn_digits_dataset_builder import SklearnDigits

    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints, about a second's work
        SklearnDigits(data_dir=folder).download_and_prepare(file_format="array_record")
