"""Keeps the decoded arrays of a split, so that 60,000 PNG files are decoded once, not every run."""

import contextlib
import hashlib
import zipfile
from collections.abc import Callable

import numpy as np

from gm_jax.data.store.places import cache_dir, is_writable
from gm_jax.whole_file import replacing

_FORMAT = 1  # goes up when a transform or a decoder of ours gives other bits than before


def decoded(key: object, read: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """`read()`, or what it gave before for this key.

    Args:
      key: its repr says all that the arrays depend on.
      read: reads and decodes the arrays.

    Returns:
      The arrays. A folder that cannot be written to, or a damaged file, costs time only.
    """
    import PIL

    digest = hashlib.sha1(repr((_FORMAT, PIL.__version__, key)).encode()).hexdigest()
    folder = cache_dir() / "decoded"
    path = folder / f"{digest}.npz"
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there yet, or damaged
    arrays = read()
    if is_writable(folder):
        with contextlib.suppress(OSError), replacing(path) as aside:
            np.savez(aside, **arrays)  # type: ignore[arg-type]
    return arrays
