"""Keeps the decoded arrays of a split, so that 60,000 PNG files are decoded once, not every run."""

from collections.abc import Callable

import numpy as np

from gm_jax.data.store.kept import kept

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

    return kept("decoded", (_FORMAT, PIL.__version__, key), read)
