"""Fréchet distance of Gaussians (FID): Heusel et al. 2017, arXiv:1706.08500.

  d^2 = |m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1^1/2 S_2 S_1^1/2)^1/2

The last trace is the sum of the singular values of F_1 F_2^T for any factors S = F^T F. They are
taken from symmetric eigendecompositions, so that nothing is complex, and nothing is divided: also
right for singular covariances, i.e. of fewer images than dimensions.
"""

from typing import NamedTuple

import numpy as np

from gm_jax.metrics.features import FeatureError, checked
from gm_jax.metrics.moments import Moments, moments

_BLOCK = 1024  # samples that are float64 at a time


class Gaussian(NamedTuple):
    """Mean and a factor of the covariance.

    Attributes:
      mean: float64 [D].
      factor: F [R, D] with covariance F^T F; R is its rank.
    """

    mean: np.ndarray
    factor: np.ndarray


def gaussian(of: Moments) -> Gaussian:
    """The Gaussian of these moments; of a set that others are held against, once is enough.

    Raises:
      FeatureError: of fewer than two images.
    """
    values, vectors = np.linalg.eigh(of.covariance)
    # What rounding made of eigenvalues 0 would count by its square root.
    kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    return Gaussian(of.mean, np.sqrt(values[kept])[:, None] * vectors[:, kept].T)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """d^2 of the formula above, at least 0; in squared units of the features.

    Raises:
      FeatureError: where the dimensions differ.
    """
    if a.mean.shape != b.mean.shape:
        raise FeatureError(
            f"Gaussians of {len(a.mean)} and of {len(b.mean)} dimensions have no distance: give "
            "both the same features"
        )
    traces = (a.factor**2).sum() + (b.factor**2).sum()
    singular = np.linalg.svd(a.factor @ b.factor.T, compute_uv=False)
    return max(0.0, float(((a.mean - b.mean) ** 2).sum() + traces - 2.0 * singular.sum()))


def fid(samples: np.ndarray, reference: np.ndarray) -> float:
    """Fréchet distance of the Gaussians of two sets of features [N, D] and [M, D].

    Its expectation is above that of infinitely many images, by about c / N: compare equal N only.

    Raises:
      FeatureError: where they are not [N, D], fewer than two, not finite, or differ in D.
    """
    return frechet_distance(gaussian(moments(samples)), gaussian(moments(reference)))


def frechet_error(samples: np.ndarray, of: Moments, reference: Gaussian) -> float:
    """Standard error of d^2 over samples, to first order; the reference is taken as it is.

    Each sample x moves the distance by its influence

      2 (m - m_r)^T c + c^T (1 - T) c,   c = x - m,   T = F_r^T (F_r S F_r^T)^-1/2 F_r

    about its mean; T carries the Gaussian of the samples to that of the reference.

    Args:
      samples: features [N, D].
      of: their moments.
      reference: what they are held against.
    """
    values, vectors = np.linalg.eigh(reference.factor @ of.covariance @ reference.factor.T)
    kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    carry = values[kept] ** -0.25 * (reference.factor.T @ vectors[:, kept])  # [D, R]
    total = Moments.empty(1)
    for start in range(0, len(samples), _BLOCK):
        c = np.asarray(samples[start : start + _BLOCK], np.float64) - of.mean
        influence = 2.0 * c @ (of.mean - reference.mean)
        influence += (c**2).sum(1) - ((c @ carry) ** 2).sum(1)
        total = total.merge(moments(influence[:, None]))
    return float(np.sqrt(total.covariance[0, 0] / len(samples)))


class Extrapolated(NamedTuple):
    """A line's value at 1 / N = 0.

    Attributes:
      value: of infinitely many samples; it may be a little below 0.
      stderr: of the line's intercept. The subsets share images, so it is rather too small.
    """

    value: float
    stderr: float


def fid_infinity(
    samples: np.ndarray, reference: Gaussian, seed: int = 0, points: int = 15
) -> Extrapolated:
    """FID of infinitely many samples: Chong & Forsyth 2020, arXiv:1911.07023.

    FID is computed of random subsets of N/5 to all N samples, and a straight line in 1 / N is
    fitted by least squares. The number of images of the reference stays as it is. (The paper begins
    at N/10 = 5,000; of fewer samples the line would be bent, where N is near to D.)

    Args:
      samples: features [N, D].
      reference: what they are held against.
      seed: of the subsets.
      points: subsets; their sizes are evenly spaced.

    Raises:
      FeatureError: for fewer than 50 samples, or as `frechet_distance`.
    """
    samples = checked(samples, "samples", least=50)
    rng = np.random.default_rng(seed)
    sizes = np.unique(np.linspace(len(samples) // 5, len(samples), points).astype(int))
    distances = [
        _distance(moments(samples[rng.choice(len(samples), size, replace=False)]), reference)
        for size in sizes
    ]
    line = np.stack([np.ones(len(sizes)), 1.0 / sizes], 1)
    found, *_ = np.linalg.lstsq(line, np.asarray(distances), rcond=None)
    rest = np.asarray(distances) - line @ found
    noise = (rest**2).sum() / (len(sizes) - 2)
    spread = noise * np.linalg.inv(line.T @ line)[0, 0]
    return Extrapolated(float(found[0]), float(np.sqrt(spread)))


def _distance(of: Moments, reference: Gaussian) -> float:
    """d^2 by the eigenvalues of F_r S F_r^T: quicker, and exact to the root of rounding only."""
    if of.mean.shape != reference.mean.shape:
        raise FeatureError(
            f"samples of {len(of.mean)} and images of {len(reference.mean)} dimensions have no "
            "distance: give both the same features"
        )
    values = np.linalg.eigvalsh(reference.factor @ of.covariance @ reference.factor.T)
    traces = np.trace(of.covariance) + (reference.factor**2).sum()
    roots = np.sqrt(np.maximum(values, 0.0)).sum()
    return float(((of.mean - reference.mean) ** 2).sum() + traces - 2.0 * roots)
