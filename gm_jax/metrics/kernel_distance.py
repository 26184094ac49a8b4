"""Kernel distance (KID): Binkowski et al. 2018, arXiv:1801.01401.

The squared maximum mean discrepancy with the kernel k(x, y) = (x^T y / D + 1)^3, by its unbiased
estimator (Gretton et al. 2012):

  sum_{i != j} k(x_i, x_j) / (m (m - 1)) + sum_{i != j} k(y_i, y_j) / (n (n - 1))
    - 2 sum_{i, j} k(x_i, y_j) / (m n)
"""

from typing import NamedTuple

import numpy as np

from gm_jax.metrics.features import checked_pair


class KernelDistance(NamedTuple):
    """An estimate of MMD^2.

    Attributes:
      value: unbiased, so below 0 about half of the time for equal distributions.
      stderr: its standard error, by leaving out each image once (jackknife); rather too large than
        too small (Efron & Stein 1981).
    """

    value: float
    stderr: float


def kid(samples: np.ndarray, reference: np.ndarray, block: int = 2048) -> KernelDistance:
    """MMD^2 of two sets of features, of all pairs (no subsets are drawn).

    Args:
      samples: [N, D].
      reference: [M, D].
      block: at most block x block kernels are held at a time.

    Raises:
      FeatureError: where they are not [N, D], fewer than three, not finite, or differ in D.
    """
    x, y = checked_pair(samples, reference, ("samples", "reference images"), least=3)
    within_x, within_y = _within(x, block), _within(y, block)
    across_x, across_y = _across(x, y, block)
    m, n = len(x), len(y)

    def estimate(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, m: int, n: int) -> np.ndarray:
        return xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2.0 * xy / (m * n)

    xx, yy, xy = (v.sum() for v in (within_x, within_y, across_x))
    without_x = estimate(xx - 2.0 * within_x, yy, xy - across_x, m - 1, n)
    without_y = estimate(xx, yy - 2.0 * within_y, xy - across_y, m, n - 1)
    variance = sum((len(v) - 1) * v.var() for v in (without_x, without_y))
    return KernelDistance(float(estimate(xx, yy, xy, m, n)), float(np.sqrt(variance)))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.asarray(x, np.float64) @ np.asarray(y, np.float64).T / x.shape[1] + 1.0) ** 3


def _across(x: np.ndarray, y: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of k(x_i, y_j) over j, and over i: [m] and [n]."""
    rows, columns = np.zeros(len(x)), np.zeros(len(y))
    for i in range(0, len(x), block):
        for j in range(0, len(y), block):
            kernels = _kernel(x[i : i + block], y[j : j + block])
            rows[i : i + block] += kernels.sum(1)
            columns[j : j + block] += kernels.sum(0)
    return rows, columns


def _within(x: np.ndarray, block: int) -> np.ndarray:
    """Sums of k(x_i, x_j) over j other than i, [m]; each pair is computed once."""
    sums = np.zeros(len(x))
    for i in range(0, len(x), block):
        kernels = _kernel(x[i : i + block], x[i : i + block])
        np.fill_diagonal(kernels, 0.0)
        sums[i : i + block] += kernels.sum(1)
        for j in range(i + block, len(x), block):
            kernels = _kernel(x[i : i + block], x[j : j + block])
            sums[i : i + block] += kernels.sum(1)
            sums[j : j + block] += kernels.sum(0)
    return sums
