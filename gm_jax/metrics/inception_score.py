"""Inception score: Salimans et al. 2016, arXiv:1606.03498.

  exp(E_x KL(p(y|x) || p(y))),   p(y) = E_x p(y|x)

1 where all samples look alike or like nothing, K where each is surely of one of K classes and all
classes are equally frequent. It never looks at real images.
"""

from typing import NamedTuple

import numpy as np

from gm_jax.metrics.features import FeatureError, checked


class InceptionScore(NamedTuple):
    """Mean over splits, and its standard error."""

    value: float
    stderr: float


def inception_score(probabilities: np.ndarray, splits: int = 10) -> InceptionScore:
    """Of the class probabilities of samples.

    Args:
      probabilities: p(y|x), [N, K]; each row has the sum 1.
      splits: parts, in order, of which each has its score; samples have to be in no order.

    Raises:
      FeatureError: where they are no probabilities, or fewer than splits.
    """
    p = np.asarray(checked(probabilities, "samples", least=splits), np.float64)
    if (p < 0).any() or not np.allclose(p.sum(1), 1.0, atol=1e-3):
        raise FeatureError("an inception score needs probabilities [N, K] with the sum 1")
    scores = []
    for part in np.array_split(p, splits):
        marginal = part.mean(0)
        # 0 log 0 = 0; where a marginal is 0, so are all its terms.
        ratio = np.divide(part, marginal, out=np.ones_like(part), where=part > 0)
        scores.append(np.exp((part * np.log(ratio)).sum(1).mean()))
    spread = np.std(scores, ddof=1) / np.sqrt(splits) if splits > 1 else 0.0
    return InceptionScore(float(np.mean(scores)), float(spread))
