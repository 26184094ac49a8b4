"""Nearest neighbours among features, block by block in float64."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gm_jax.metrics.features import FeatureError, checked_pair

BLOCK = 2048
"""At most BLOCK x BLOCK distances are held at a time: 32 MiB."""
_EQUAL = 1e-12
"""Squared distances below this share of the squared norms are rounding (features are float32)."""


class Neighbours(NamedTuple):
    """Of each query, nearest first.

    Attributes:
      distance: Euclidean, float64 [N, k].
      places: of the points, int64 [N, k].
    """

    distance: np.ndarray
    places: np.ndarray


def nearest(
    queries: np.ndarray,
    points: np.ndarray,
    k: int = 1,
    *,
    same: bool = False,
    block: int = BLOCK,
) -> Neighbours:
    """The k points nearest to each query.

    Args:
      queries: [N, D].
      points: [M, D].
      k: how many of each.
      same: whether both are the same set, in one order: none is then a neighbour of itself.
      block: distances held at a time, squared.

    Raises:
      FeatureError: where they are not [N, D], not finite, differ in D, or there are too few points.
    """
    queries, points = checked_pair(queries, points, ("queries", "points"))
    if len(points) < k + same:
        raise FeatureError(f"{k + same} or more images are needed for {k} neighbours of each")
    squared = np.empty((len(queries), k))
    index = np.empty((len(queries), k), np.int64)
    for i in range(0, len(queries), block):
        rows = queries[i : i + block]
        best, place = np.full((len(rows), k), np.inf), np.zeros((len(rows), k), np.int64)
        for j, distances in blocks(rows, points, block):
            if same:
                _leave_out_itself(distances, i, j)
            found, where = _least(distances, k)
            both, wheres = np.hstack([best, found]), np.hstack([place, where + j])
            order = np.argsort(both, axis=1, kind="stable")[:, :k]
            best = np.take_along_axis(both, order, 1)
            place = np.take_along_axis(wheres, order, 1)
        squared[i : i + block], index[i : i + block] = best, place
    return Neighbours(np.sqrt(squared), index)


def blocks(
    rows: np.ndarray, points: np.ndarray, block: int = BLOCK
) -> Iterator[tuple[int, np.ndarray]]:
    """Squared distances of `rows` [B, D] from points [M, D], block by block of the points.

    Yields:
      The first point's number, and float64 [B, at most block], 0 where they are equal but for
      rounding.
    """
    rows = np.asarray(rows, np.float64)
    norms = (rows**2).sum(1)[:, None]
    for j in range(0, len(points), block):
        columns = np.asarray(points[j : j + block], np.float64)
        sums = norms + (columns**2).sum(1)[None, :]
        distances = sums - 2.0 * (rows @ columns.T)
        distances[distances < _EQUAL * sums] = 0.0
        yield j, distances


def _leave_out_itself(distances: np.ndarray, i: int, j: int) -> None:
    """Makes the distance of each from itself infinite: rows begin with i, columns with j."""
    itself = np.arange(max(i, j), min(i + distances.shape[0], j + distances.shape[1]))
    distances[itself - i, itself - j] = np.inf


def _least(distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The least k of each row (all, if there are fewer), in any order, and where they stand."""
    if distances.shape[1] <= k:
        return distances, np.broadcast_to(np.arange(distances.shape[1]), distances.shape)
    if k == 1:
        where = distances.argmin(1)[:, None]
    else:
        where = np.argpartition(distances, k - 1, axis=1)[:, :k]
    return np.take_along_axis(distances, where, 1), where
