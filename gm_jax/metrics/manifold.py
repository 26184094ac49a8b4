"""How well samples lie where images do, and reach all of them: by balls around each.

A ball around an image reaches to its k-th nearest neighbour in its own set, itself left out.

  precision: share of samples that lie in a ball of an image          (Kynkäänniemi et al. 2019,
  recall:    share of images that lie in a ball of a sample            arXiv:1904.06991, k = 3)
  density:   balls of images that a sample lies in, over k, the mean   (Naeem et al. 2020,
  coverage:  share of images whose ball holds a sample                 arXiv:2002.09797, k = 5)

All depend on the number of images: compare equal numbers only.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gm_jax.metrics.features import checked_pair
from gm_jax.metrics.neighbours import BLOCK, blocks, nearest

_SETS = ("samples", "reference images")
_ROUNDING = (
    1.0 + 1e-9
)  # of squared radii: on the surface is inside, in whatever order sums are made


class Share(NamedTuple):
    """A share or mean with its standard error over the images it is the mean of."""

    value: float
    stderr: float


def precision_recall(
    samples: np.ndarray, reference: np.ndarray, k: int = 3, block: int = BLOCK
) -> tuple[Share, Share]:
    """Improved precision and recall, in [0, 1].

    Args:
      samples: features [N, D].
      reference: features [M, D].
      k: of the radius.
      block: distances held at a time, squared.

    Raises:
      FeatureError: where they are not [N, D], k or fewer, not finite, or differ in D.
    """
    samples, reference = checked_pair(samples, reference, _SETS, least=k + 1)
    held = _Held(_squared_radii(reference, (k,), block)[0], len(samples))
    reached = _Held(_squared_radii(samples, (k,), block)[0], len(reference))
    for i, j, squared in _all_blocks(samples, reference, block):
        held.count(i, j, squared)
        reached.count(j, i, squared.T)
    return _mean(held.inside > 0), _mean(reached.inside > 0)


def density_coverage(
    samples: np.ndarray, reference: np.ndarray, k: int = 5, block: int = BLOCK
) -> tuple[Share, Share]:
    """Density (at least 0, about 1 for equal distributions) and coverage, in [0, 1].

    Args:
      samples: features [N, D].
      reference: features [M, D].
      k: of the radius.
      block: distances held at a time, squared.

    Raises:
      FeatureError: where they are not [N, D], k or fewer, not finite, or differ in D.
    """
    samples, reference = checked_pair(samples, reference, _SETS, least=k + 1)
    held = _Held(_squared_radii(reference, (k,), block)[0], len(samples))
    for i, j, squared in _all_blocks(samples, reference, block):
        held.count(i, j, squared)
    return _mean(held.inside / k), _mean(held.holds)


class Manifold(NamedTuple):
    """All four, each distance computed once."""

    precision: Share
    recall: Share
    density: Share
    coverage: Share


def manifold(
    samples: np.ndarray,
    reference: np.ndarray,
    k: int = 3,
    k_density: int = 5,
    block: int = BLOCK,
) -> Manifold:
    """`precision_recall` with k and `density_coverage` with k_density.

    Raises:
      FeatureError: as they do.
    """
    least = max(k, k_density) + 1
    samples, reference = checked_pair(samples, reference, _SETS, least=least)
    small, large = _squared_radii(reference, (k, k_density), block)
    held, dense = _Held(small, len(samples)), _Held(large, len(samples))
    reached = _Held(_squared_radii(samples, (k,), block)[0], len(reference))
    for i, j, squared in _all_blocks(samples, reference, block):
        held.count(i, j, squared)
        dense.count(i, j, squared)
        reached.count(j, i, squared.T)
    return Manifold(
        _mean(held.inside > 0),
        _mean(reached.inside > 0),
        _mean(dense.inside / k_density),
        _mean(dense.holds),
    )


class _Held:
    """Counts which points lie in which balls.

    Attributes:
      inside: balls that each point lies in, [N].
      holds: whether each ball holds a point, bool [M].
    """

    def __init__(self, radii: np.ndarray, num_points: int):
        """`radii` are squared, [M]."""
        self._radii = radii
        self.inside, self.holds = np.zeros(num_points), np.zeros(len(radii), bool)

    def count(self, i: int, j: int, squared: np.ndarray) -> None:
        """Squared distances of points from number i on from centres from number j on."""
        rows, columns = squared.shape
        held = squared <= self._radii[j : j + columns]
        self.inside[i : i + rows] += held.sum(1)
        self.holds[j : j + columns] |= held.any(0)


def _all_blocks(
    samples: np.ndarray, reference: np.ndarray, block: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Number of a sample, number of an image, squared distances of those from there on."""
    for i in range(0, len(samples), block):
        for j, squared in blocks(samples[i : i + block], reference, block):
            yield i, j, squared


def _squared_radii(points: np.ndarray, ks: tuple[int, ...], block: int) -> list[np.ndarray]:
    """Of the balls around each point to its k-th neighbour, [N] for each k."""
    found = nearest(points, points, max(ks), same=True, block=block).distance
    return [found[:, k - 1] ** 2 * _ROUNDING for k in ks]


def _mean(values: np.ndarray) -> Share:
    return Share(float(values.mean()), float(values.std() / np.sqrt(len(values))))
