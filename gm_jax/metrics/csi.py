"""Critical success index: how well it was forecast where a field exceeds a threshold.

Also called threat score, and the Jaccard index of the two areas. Counts are summed over a whole
split before they are divided (Veillette et al. 2020, "SEVIR", NeurIPS 33): a mean over images of
their own indices would say most of the images with least in them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


class Contingency(NamedTuple):
    """Pixels by what was forecast and what came true, of each frame and threshold: [..., K] each.

    Attributes:
      hits: at or above the threshold in both.
      misses: in the truth alone.
      false_alarms: in the forecast alone.
    """

    hits: Array
    misses: Array
    false_alarms: Array


def contingency(
    prediction: Array, target: Array, thresholds: tuple[int, ...], seen: Array | None = None
) -> Contingency:
    """Counts the pixels of each frame.

    Args:
      prediction: levels, [..., H, W, C].
      target: the same shape.
      thresholds: K levels.
      seen: where the target was seen, bool of the same shape; the others are not counted (None: all
        were).

    Returns:
      int32 [..., K] each.

    Raises:
      ValueError: where the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"shapes {prediction.shape} and {target.shape} differ")
    limits = jnp.asarray(thresholds, jnp.float32).reshape((1,) * prediction.ndim + (-1,))
    forecast, came = (
        jnp.asarray(v).astype(jnp.float32)[..., None] >= limits for v in (prediction, target)
    )  # [..., H, W, C, K]

    def count(where: Array) -> Array:
        if seen is not None:
            where = where & seen[..., None]
        return where.sum((-4, -3, -2), dtype=jnp.int32)

    return Contingency(
        hits=count(forecast & came),
        misses=count(~forecast & came),
        false_alarms=count(forecast & ~came),
    )


def critical_success_index(counts: Contingency) -> np.ndarray:
    """hits / (hits + misses + false alarms), from counts summed over the first axis.

    Args:
      counts: [N, ..., K] each, of N frames of one kind, such as all those of one lead time.

    Returns:
      In [0, 1], float64 [..., K]; NaN where neither the forecast nor the truth has such a pixel.
    """
    # int64 on the host: a split of SEVIR has more pixels than int32 can count.
    return _index(*(np.asarray(v).sum(0, dtype=np.int64) for v in counts))


def jackknife(counts: Contingency) -> np.ndarray:
    """Standard error of the index over the N frames, by leaving out each in turn (Efron 1982).

    Args:
      counts: [N, ..., K] each, as for `critical_success_index`.

    Returns:
      float64 [..., K]; NaN where the index is not defined without some frame.
    """
    left = (np.asarray(v).sum(0, dtype=np.int64) - np.asarray(v) for v in counts)
    values = _index(*left)  # [N, ..., K]
    n = len(values)
    return np.sqrt((n - 1) / n * ((values - values.mean(0)) ** 2).sum(0))


def _index(hits: np.ndarray, misses: np.ndarray, false_alarms: np.ndarray) -> np.ndarray:
    total = hits + misses + false_alarms
    return np.divide(hits, total, out=np.full(total.shape, np.nan), where=total > 0)
