"""What an example of forecasting is made of, and what can be forecast from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm_jax.data.source import Example
from gm_jax.data.spec import DataSpec, Extra
from gm_jax.data.store.name_splits import split_names
from gm_jax.errors import ConfigError, UserError


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


def extra_shape(spec: DataSpec, name: str) -> tuple[int, ...]:
    """Shape of an extra of one example.

    Raises:
      ConfigError: the data have no extra of that name.
    """
    for extra in spec.extras:
        if extra.name == name:
            return tuple(extra.shape)
    raise ConfigError(f"these data have no {name!r}: a forecast needs the frames that are known")


def known_names(spec: DataSpec) -> tuple[str, ...]:
    """The arrays that a forecast starts from: the known frames, their times, and conditions."""
    return ("context", "context_time", *(extra.name for extra in spec.conditions))


def check_said_once(config: Any, nested: str, *fields: str) -> None:
    """Looks whether a config inside another says what the outer one says for it.

    Args:
      config: the outer one; its fields count.
      nested: name of the inner one.
      fields: that both have.

    Raises:
      ConfigError: a field of the inner one was changed, and not to what the outer one says.
    """
    inner = getattr(config, nested)
    usual = type(inner)()
    for field in fields:
        given = getattr(inner, field)
        if given not in (getattr(usual, field), getattr(config, field)):
            where = type(config).__name__
            raise ConfigError(
                f"{where}.{nested}.{field} {given} would not count: give {where}.{field}"
            )


def check_times(times: np.ndarray) -> None:
    """Looks whether times can be forecast.

    Args:
      times: seconds after the last known frame, [M'] or [B, M'].

    Raises:
      UserError: no times, or some that are not finite, not in the future or not increasing.
    """
    times = np.asarray(times, np.float64)
    if times.size == 0:
        raise UserError("no times are wanted: give at least one, in seconds after the last frame")
    if not np.isfinite(times).all():
        raise UserError("a wanted time is not a finite number of seconds: give another")
    if (times <= 0).any():
        raise UserError(
            f"the wanted time {times[times <= 0][0]:g} s is not after the last known frame, which "
            "is at 0 s: give times greater than 0"
        )
    steps = np.diff(times, axis=-1)
    if (steps <= 0).any():
        i = tuple(np.argwhere(steps <= 0)[0])
        before, after = times[i], times[(*i[:-1], i[-1] + 1)]
        raise UserError(
            f"wanted times must increase, and {after:g} s comes after {before:g} s: sort them, "
            "each once"
        )


def check_forecast(spec: DataSpec, context: Mapping[str, Any], times: np.ndarray) -> None:
    """Looks, on the host, whether a model of data like `spec` can forecast from this context.

    Args:
      spec: of the data that the model was trained on.
      context: "context" uint8 [B, N, H, W, C], "context_time" [B, N], and each of the spec's
        conditions.
      times: likewise, [B, M'].

    Raises:
      UserError: what does not fit, first of all the times.
    """
    check_times(times)
    for extra in spec.conditions:
        shape = [len(context["context"]), *extra.shape]
        told = f"the model is told {extra.name} beside the frames, {shape}"
        if extra.name not in context:
            raise UserError(f"{told}, which is not given")
        if list(np.shape(context[extra.name])) != shape:
            raise UserError(f"{told}, not {list(np.shape(context[extra.name]))}")
    frames, known = np.asarray(context["context"]), np.asarray(context["context_time"])
    num, *size = extra_shape(spec, "context")
    wanted = f"[B, {num}, {size[0]}, {size[1]}, {size[2]}]"
    if frames.ndim != 5:
        raise UserError(f"context must be frames {wanted}, not of shape {list(frames.shape)}")
    if frames.dtype != np.uint8:
        raise UserError(f"context must hold uint8 levels, not {frames.dtype}")
    if frames.shape[1] != num:
        raise UserError(
            f"the model forecasts from {num} known frames, not from {frames.shape[1]}: give the "
            f"last {num}"
        )
    if list(frames.shape[2:]) != size:
        have, want = ("x".join(map(str, s)) for s in (frames.shape[2:], size))
        raise UserError(f"the model takes frames of {want}, not of {have}: resize them")
    if known.shape != frames.shape[:2] or np.asarray(times).shape[:-1] != frames.shape[:1]:
        raise UserError(
            f"{list(frames.shape[:2])} frames need as many context_time, and wanted times for "
            f"each of {len(frames)}, not {list(known.shape)} and {list(np.shape(times))}"
        )
    if (np.diff(known, axis=1) <= 0).any() or (known[:, -1] != 0).any():
        raise UserError(
            "context_time must increase and end in 0 s, the time of the last known frame: sort "
            "the frames by time, each once, and subtract the last time"
        )
