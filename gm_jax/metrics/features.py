"""What the distribution metrics are given: features [N, D] of two sets, looked at before use."""

import numpy as np

from gm_jax.errors import UserError


class FeatureError(UserError, ValueError):
    """Features of which a figure can't be computed."""


def checked(features: np.ndarray, of: str, least: int = 1) -> np.ndarray:
    """Features that a figure can be computed of.

    Args:
      features: [N, D], real numbers.
      of: what they are features of, for messages.
      least: N is at least this.

    Returns:
      The same as an array.

    Raises:
      FeatureError: where they are not [N, D], too few, or not finite.
    """
    array = np.asarray(features)
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "fiu":
        raise FeatureError(
            f"the features of {of} must be numbers [N, D], not {array.dtype} {list(array.shape)}"
        )
    if len(array) < least:
        raise FeatureError(f"{least} or more {of} are needed, not {len(array)}")
    finite = np.isfinite(array).all(1)
    if not finite.all():
        raise FeatureError(
            f"the features of {of} are not finite: NaN or infinite in {(~finite).sum()} of "
            f"{len(array)}, first in number {np.argmin(finite)}"
        )
    return array


def checked_pair(
    a: np.ndarray, b: np.ndarray, of: tuple[str, str], least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Features of two sets, with equally many dimensions.

    Raises:
      FeatureError: as `checked`, and where the dimensions differ.
    """
    a, b = checked(a, of[0], least), checked(b, of[1], least)
    if a.shape[1] != b.shape[1]:
        raise FeatureError(
            f"the features of {of[0]} have {a.shape[1]} dimensions, those of {of[1]} {b.shape[1]}: "
            "give both the same features"
        )
    return a, b
