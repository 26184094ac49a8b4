"""How well samples lie where images do, and reach all of them: by balls around each.

A ball around an image reaches to its k-th nearest neighbour in its own set, itself left out.

  precision: share of samples that lie in a ball of an image          (Kynkäänniemi et al. 2019,
  recall:    share of images that lie in a ball of a sample            arXiv:1904.06991, k = 3)
  density:   balls of images that a sample lies in, over k, the mean   (Naeem et al. 2020,
  coverage:  share of images whose ball holds a sample                 arXiv:2002.09797, k = 5)

All depend on the number of images: compare equal numbers only.
"""

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
    balls = _squared_radii(reference, k, block)
    around_samples = _squared_radii(samples, k, block)
    precise, recalled = np.zeros(len(samples), bool), np.zeros(len(reference), bool)
    for i in range(0, len(samples), block):
        for j, squared in blocks(samples[i : i + block], reference, block):
            part = slice(j, j + squared.shape[1])
            precise[i : i + block] |= (squared <= balls[part]).any(1)
            recalled[part] |= (squared <= around_samples[i : i + block, None]).any(0)
    return _mean(precise), _mean(recalled)


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
    balls = _squared_radii(reference, k, block)
    inside, covered = np.zeros(len(samples)), np.zeros(len(reference), bool)
    for i in range(0, len(samples), block):
        for j, squared in blocks(samples[i : i + block], reference, block):
            part = slice(j, j + squared.shape[1])
            held = squared <= balls[part]
            inside[i : i + block] += held.sum(1)
            covered[part] |= held.any(0)
    return _mean(inside / k), _mean(covered)


def _squared_radii(points: np.ndarray, k: int, block: int) -> np.ndarray:
    """Of the balls around each point, [N]."""
    return nearest(points, points, k, same=True, block=block).distance[:, -1] ** 2 * _ROUNDING


def _mean(values: np.ndarray) -> Share:
    return Share(float(values.mean()), float(values.std() / np.sqrt(len(values))))
