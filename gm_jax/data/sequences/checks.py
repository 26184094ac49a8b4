"""What an example of forecasting is made of: known frames, wanted frames, and all their times."""

from collections.abc import Sequence

import numpy as np

from gm_jax.data.images.splits import split_names
from gm_jax.data.source import Example
from gm_jax.data.spec import DataSpec, Extra


def forecast_spec(
    shape: tuple[int, int, int], context: int, targets: int, further: tuple[Extra, ...] = ()
) -> DataSpec:
    """The spec of examples made by `forecast_example`.

    Args:
      shape: of a frame, [H, W, C].
      context: known frames, N.
      targets: wanted frames, M.
      further: extras beside "context", "context_time" and "time".
    """
    extras = (
        Extra("context", (context, *shape), "uint8"),
        Extra("context_time", (context,)),
        Extra("time", (targets,)),
    )
    return DataSpec((targets, *shape), extras=(*extras, *further))


def forecast_example(frames: np.ndarray, times: np.ndarray, context: int) -> Example:
    """One example of N + M frames, of which the first N are known.

    Args:
      frames: uint8 [N + M, H, W, C].
      times: increasing seconds [N + M] from any origin.
      context: N.

    Returns:
      "image" [M, H, W, C] and "context" [N, H, W, C]; "time" float32 [M] and "context_time" float32
      [N], in seconds since the last context frame.
    """
    since = np.asarray(times, np.float64) - float(times[context - 1])
    return {
        "image": frames[context:],
        "context": frames[:context],
        "context_time": since[:context].astype(np.float32),
        "time": since[context:].astype(np.float32),
    }


def split_groups(
    ids: Sequence[str], valid_fraction: float, test_fraction: float
) -> dict[str, list[str]]:
    """Which storms or events are in which split, by a hash of their ids, as images are split.

    One alone is there to be tested on; of two, one is for training and one for the test.

    Args:
      ids: of the groups of examples that are not to be divided.
      valid_fraction: of the split validation.
      test_fraction: of the split test.
    """
    if len(ids) == 1:
        return {"test": list(ids)}
    return split_names(ids, valid_fraction if len(ids) > 2 else 0.0, test_fraction)
