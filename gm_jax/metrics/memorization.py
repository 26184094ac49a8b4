"""Whether samples are copies: of training images, or of each other."""

import numpy as np

from gm_jax.metrics.features import FeatureError
from gm_jax.metrics.neighbours import Neighbours


def memorized(neighbours: Neighbours, ratio: float = 1 / 3) -> np.ndarray:
    """Which samples are copies of one training image, bool [N].

    A sample is one if it is nearer to its nearest training image than `ratio` times its distance
    from the next, or equal to a training image: Yoon et al. 2023, "Diffusion probabilistic models
    generalize when they fail to memorize"; Gu et al. 2023, arXiv:2310.02664. Blurred samples, which
    are near to many images, are none. Of new images about ratio^d are taken for copies, d being the
    number of dimensions that the images fill.

    Args:
      neighbours: of samples among all training images, two of each or more.
      ratio: of the distances.

    Raises:
      FeatureError: for one neighbour of each.
    """
    if neighbours.distance.shape[1] < 2:
        raise FeatureError("memorization needs the two nearest training images of each sample")
    first, second = neighbours.distance[:, 0], neighbours.distance[:, 1]
    return (first < ratio * second) | (first == 0)


def num_duplicates(images: np.ndarray) -> int:
    """How many images [N, ...] are equal, value by value, to one before them."""
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    return len(flat) - len({row.tobytes() for row in flat})
