"""Arrays that were computed once, kept in the user's cache."""

import contextlib
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gm_jax.data.store.places import cache_dir, is_writable
from gm_jax.whole_file import replacing


def kept(
    room: str, key: object, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """`make()`, or what it gave before for this key.

    Args:
      room: the folder in the cache.
      key: its repr says all that the arrays depend on.
      make: computes the arrays.

    Returns:
      The arrays. A folder that cannot be written to, or a damaged file, costs time only.
    """
    digest = hashlib.sha1(repr(key).encode()).hexdigest()
    folder = cache_dir() / room
    path = folder / f"{digest}.npz"
    if (found := read_arrays(path)) is not None:
        return found
    arrays = make()
    if is_writable(folder):
        with contextlib.suppress(OSError), replacing(path) as aside:
            np.savez(aside, **arrays)  # type: ignore[arg-type]
    return arrays


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an .npz file; None where there is none yet, or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
