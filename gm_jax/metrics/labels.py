"""Which classes are covered by the labels that are read from samples."""

from typing import NamedTuple

import numpy as np


class ClassCoverage(NamedTuple):
    """Scalars about the classes read from one set of samples.

    Attributes:
      classes_hit: classes read at least once.
      classes_held: classes that are at least `min_share` of all samples.
      kl_to_uniform: KL of the classes' shares from equal ones, nats: 0 for equal shares, log K if
        all samples are of one class.
    """

    classes_hit: int
    classes_held: int
    kl_to_uniform: float


def class_coverage(read: np.ndarray, num_classes: int, min_share: float = 0.01) -> ClassCoverage:
    """Which classes unconditional samples cover.

    Args:
      read: labels [N], N at least 1.
      num_classes: K.
      min_share: of all samples that a class has to be to be held.
    """
    shares = np.bincount(read, minlength=num_classes) / len(read)
    seen = shares[shares > 0]
    return ClassCoverage(
        classes_hit=len(seen),
        classes_held=int((shares >= min_share).sum()),
        kl_to_uniform=float((seen * np.log(seen * num_classes)).sum()),
    )
