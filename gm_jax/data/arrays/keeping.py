"""Arrays from memory as the data of an experiment: kept by their digest, to be found again."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm_jax.data.arrays.config import ArrayData
from gm_jax.data.arrays.files import in_memory
from gm_jax.data.arrays.source import KEPT_IN
from gm_jax.data.arrays.table import make_table
from gm_jax.data.config import AnyData
from gm_jax.data.store.places import cache_dir, data_dirs, is_writable
from gm_jax.errors import UserError, one_line
from gm_jax.whole_file import replacing

_DIGITS = 20  # of a SHA-256
_WHERE = "data"  # what they are called in messages


def with_arrays(like: AnyData, arrays: Any) -> ArrayData:
    """The data of an experiment, but with these arrays; they are kept in the user's cache.

    A name made of a digest stands for them, `arrays/<digest>.npz`, which is looked for in all data
    folders; so another process finds them, and so does another machine that has a copy.

    Args:
      like: what else the experiment says of its data: batch size, range, parts of the splits,
        transforms.
      arrays: images [N, H, W, C] or [N, H, W]; or images and labels [N] (or None), as a tuple; or
        a mapping from "train", and "validation" or "test", to either.

    Raises:
      UserError: the arrays do not fit, or no folder can be written to.
    """
    by_name = _by_name(arrays)
    data = _like(like)
    # Looked at before anything is written.
    make_table(in_memory(by_name), _WHERE, data.source.asked)
    return dataclasses.replace(data, path=str(_keep(by_name)))


def _like(data: AnyData) -> ArrayData:
    if isinstance(data, ArrayData):
        return dataclasses.replace(data, images=None, labels="auto")
    shared = {f.name: getattr(data, f.name) for f in dataclasses.fields(AnyData)}
    return ArrayData(augment=data.transforms, **shared)


def _by_name(arrays: Any) -> dict[str, np.ndarray]:
    """Arrays by the names under which they are kept.

    Raises:
      UserError: what was given is neither arrays nor a mapping of them.
    """
    if not isinstance(arrays, Mapping):
        return _pair(arrays, "")
    splits = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}
    found: dict[str, np.ndarray] = {}
    for split, pair in arrays.items():
        if split not in splits:
            raise UserError(f"data has {split!r}, which is no split: give train, validation, test")
        found |= _pair(pair, f"{splits[split]}_")
    if not found:
        raise UserError("data holds no arrays: give images, or (images, labels)")
    return found


def _pair(given: Any, prefix: str) -> dict[str, np.ndarray]:
    images, labels = given, None
    if isinstance(given, str | Path):
        raise UserError("data is a path: say it as data.path of the experiment instead")
    if isinstance(given, tuple):
        if len(given) != 2:
            raise UserError(f"data must be images, or (images, labels), not {len(given)} arrays")
        images, labels = given
    named = {f"{prefix}images": images}
    if labels is not None:
        named[f"{prefix}labels"] = labels
    try:
        return {name: _array(array) for name, array in named.items()}
    except ValueError as error:  # lists of different lengths
        raise UserError(f"data is no array ({one_line(error)})") from None


def _array(given: Any) -> np.ndarray:
    """As an array; text in Python objects, as pandas has it, as an array of text."""
    array = np.asarray(given)
    if array.dtype.hasobject and all(isinstance(value, str) for value in array.flat):
        return array.astype(str)
    return array


def _keep(arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes arrays to the first folder that can be written to; returns their path below it."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(repr((name, array.dtype.str, array.shape)).encode())
        sha.update(array.data if array.size else b"")
    path = Path(KEPT_IN) / f"{sha.hexdigest()[:_DIGITS]}.npz"
    if any((folder / path).is_file() for folder in data_dirs()):
        return path
    for folder in (cache_dir(), *data_dirs()):
        if is_writable(folder / KEPT_IN):
            with replacing(folder / path) as aside:
                np.savez(aside, **arrays)  # type: ignore[arg-type]
            return path
    tried = ", ".join(map(str, data_dirs()))
    raise UserError(
        f"none of {tried} can be written to: set XDG_CACHE_HOME to a folder that can be, to keep "
        "the arrays there"
    )
