"""How labels that are read from samples agree with those asked for, and which they cover."""

from typing import NamedTuple

import numpy as np


def confusion(asked: np.ndarray, read: np.ndarray, num_classes: int) -> np.ndarray:
    """How often each class was read as each.

    Args:
      asked: labels [N], 0 to K - 1.
      read: labels [N], 0 to K - 1.
      num_classes: K.

    Returns:
      int64 [K, K]; entry (i, j) counts the samples asked for as i and read as j.
    """
    pairs = asked.astype(np.int64) * num_classes + read
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


class ClassCoverage(NamedTuple):
    """Scalars about the classes read from one set of samples.

    Attributes:
      classes_hit: classes read at least once.
      classes_held: classes that are at least `min_share` of all samples.
      kl_to_uniform: KL of the classes' shares from equal ones, nats: 0 for equal shares, log K if
        all samples are of one class.
      kl_stderr: its standard error, to first order (0 for equal shares, where that vanishes).
    """

    classes_hit: int
    classes_held: int
    kl_to_uniform: float
    kl_stderr: float


def class_coverage(read: np.ndarray, num_classes: int, min_share: float = 0.01) -> ClassCoverage:
    """Which classes unconditional samples cover.

    Args:
      read: labels [N], N at least 1.
      num_classes: K.
      min_share: of all samples that a class has to be to be held.
    """
    shares = np.bincount(read, minlength=num_classes) / len(read)
    seen = shares[shares > 0]
    log_ratio = np.log(seen * num_classes)
    kl = (seen * log_ratio).sum()
    return ClassCoverage(
        classes_hit=len(seen),
        classes_held=int((shares >= min_share).sum()),
        kl_to_uniform=float(kl),
        kl_stderr=float(np.sqrt((seen * (log_ratio - kl) ** 2).sum() / len(read))),
    )
