"""What all packages are given: arrays by formulas, the same in NumPy of any version.

Of NumPy's random numbers only PCG64's raw bits are used, whose stream never changes.
"""

import math
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """Two arrays that are compared: a prediction and its target, or samples and a reference."""

    first: np.ndarray
    second: np.ndarray


def images(height: int, width: int, channels: int) -> Pair:
    """Two images [2, H, W, C] in [0.02, 0.98], and a worse copy of each."""
    y, x = np.mgrid[:height, :width]
    n, c = np.arange(2)[:, None, None, None], np.arange(channels)
    waves = np.sin(x[..., None] / (5 + c) + y[..., None] * (1 + n) / 9 + c)
    target = 0.5 + 0.3 * waves + 0.18 * _uniform(target_shape := (2, height, width, channels), 1)
    noise = _uniform(target_shape, 2) * (0.1 + 0.2 * n)
    return Pair((target + noise).clip(0.02, 0.98), target.clip(0.02, 0.98))


def logits(num: int, classes: int) -> np.ndarray:
    """[num, classes], some classes clearly more likely than others."""
    return 3.0 * _normal((num, classes), 3)


def labels(num: int, classes: int) -> np.ndarray:
    """int64 [num]."""
    return (np.arange(num) * 7) % classes


def gaussians(num: int) -> tuple[np.ndarray, ...]:
    """Means and logarithms of standard deviations of two Gaussians for each of `num` values."""
    return tuple(scale * _normal((num,), seed) for seed, scale in enumerate((1, 0.5, 1, 0.5), 4))


def features(num_first: int, num_second: int, dim: int) -> Pair:
    """[N, D] and [M, D], correlated and not negative, as those of a network's last ReLU."""
    mixing = _normal((dim, dim), 8) / math.sqrt(dim)
    first = np.maximum(_normal((num_first, dim), 9) @ mixing + 0.3, 0)
    second = np.maximum(1.2 * _normal((num_second, dim), 10) @ mixing + 0.5, 0)
    return Pair(first, second)


def _uniform(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """In (-1, 1)."""
    bits = np.random.PCG64(seed).random_raw(math.prod(shape)) >> 11
    return ((bits + 0.5) / 2.0**52 - 1.0).reshape(shape)


def _normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Nearly N(0, 1): the sum of twelve uniform numbers, so that no library's logarithm matters."""
    return 0.5 * sum(_uniform(shape, 1000 * seed + i) for i in range(12))
