"""Mean and covariance of features, part by part, in float64.

The scatter of a part is taken about its own mean, and parts are put together by the formula of
Chan, Golub & LeVeque (1979), so that no digits cancel where a mean is large beside its deviation.
"""

import dataclasses
from typing import Self

import numpy as np

from gm_jax.metrics.features import FeatureError, checked

_BLOCK = 1024  # features that are float64 at a time


@dataclasses.dataclass(frozen=True)
class Moments:
    """Of any number of features.

    Attributes:
      count: how many.
      mean: float64 [D].
      scatter: sum of (x - mean)(x - mean)^T, float64 [D, D].
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, dim: int) -> Self:
        """Of no features of `dim` dimensions: merged with others, they change nothing."""
        return cls(0, np.zeros(dim), np.zeros((dim, dim)))

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased, i.e. divided by count - 1: float64 [D, D].

        Raises:
          FeatureError: of fewer than two.
        """
        if self.count < 2:
            raise FeatureError(f"a covariance needs 2 or more images, not {self.count}")
        return self.scatter / (self.count - 1)

    def merge(self, other: "Moments") -> "Moments":
        """Of the features of both.

        n = n_a + n_b,  m = m_a + (n_b / n) d,  S = S_a + S_b + (n_a n_b / n) d d^T,  d = m_b - m_a

        Raises:
          FeatureError: where the dimensions differ.
        """
        if self.mean.shape != other.mean.shape:
            raise FeatureError(
                f"moments of {len(self.mean)} and of {len(other.mean)} dimensions can't be merged"
            )
        count = self.count + other.count
        if count == 0:
            return self
        difference = other.mean - self.mean
        between = self.count * other.count / count * np.outer(difference, difference)
        return Moments(
            count,
            self.mean + other.count / count * difference,
            self.scatter + other.scatter + between,
        )


def moments(features: np.ndarray, mask: np.ndarray | None = None) -> Moments:
    """Of features, in blocks of bounded memory.

    Args:
      features: [N, D].
      mask: bool [N], False where a row is padding; None: none is.

    Raises:
      FeatureError: where they are not [N, D] or not finite.
    """
    if mask is not None:
        features = np.asarray(features)[np.asarray(mask, bool)]
    features = checked(features, "images", least=0)
    total = Moments.empty(features.shape[1])
    for start in range(0, len(features), _BLOCK):
        part = np.asarray(features[start : start + _BLOCK], np.float64)
        mean = part.mean(0)
        centred = part - mean
        total = total.merge(Moments(len(part), mean, centred.T @ centred))
    return total
