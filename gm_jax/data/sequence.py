"""What an example of forecasting is made of: known frames, wanted frames, and all their times."""

import numpy as np

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
