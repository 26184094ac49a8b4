"""Points in the plane whose modes can be counted: the benchmarks of mode collapse."""

import dataclasses
import math
import re

import numpy as np

from gm_jax.data.source import ArrayExamples, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.split_expression import split_indices
from gm_jax.errors import check_not_negative, check_positive
from gm_jax.rng import stable_hash


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianModes(Source):
    """Round Gaussians of one width, equally probable; a label is the index of the mode.

    A point is float32 [1, 1, 2]. What a split holds depends on the seed and the split's name
    alone: a larger split begins with the points of a smaller one.
    """

    scale: float
    """Standard deviation of a mode."""
    num_train: int = 50_000
    """Points in "train"."""
    num_validation: int = 2_000
    """Points in "validation" (also "valid")."""
    num_test: int = 10_000
    """Points in "test"."""
    seed: int = 0
    """Of the points; that of the experiment changes their order only."""

    def __post_init__(self) -> None:
        check_positive(self, "scale", "num_train", "num_validation", "num_test")
        check_not_negative(self, "seed")

    @property
    def centers(self) -> np.ndarray:
        """Means of the modes, float32 [K, 2]."""
        raise NotImplementedError

    @property
    def spec(self) -> DataSpec:
        return DataSpec((1, 1, 2), num_classes=len(self.centers), continuous=True)

    def open(self, split: str) -> Examples:
        sizes = {"train": self.num_train, "validation": self.num_validation, "test": self.num_test}
        parts = split_indices(re.sub(r"\bvalid\b", "validation", split), sizes)
        points, labels = zip(
            *(self._draw(name, indices, sizes[name]) for name, indices in parts), strict=True
        )
        return ArrayExamples(np.concatenate(points), np.concatenate(labels))

    def _draw(self, split: str, indices: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The points at `indices` of a split, float32 [n, 1, 1, 2], and their modes, int32 [n]."""

        def stream(name: str) -> np.random.Generator:
            return np.random.default_rng([self.seed, stable_hash(split), stable_hash(name)])

        centers = self.centers
        modes = stream("modes").integers(0, len(centers), size, np.int32)[indices]
        noise = stream("noise").standard_normal((size, 2), np.float32)[indices]
        points = centers[modes] + np.float32(self.scale) * noise
        return points.reshape(-1, 1, 1, 2), modes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ring(GaussianModes):
    """Gaussians on a circle: 8 of standard deviation 0.02, equally spaced at radius 2.

    The ring of Metz et al. 2017 (arXiv:1611.02163), which VEEGAN (Srivastava et al. 2017,
    arXiv:1705.07761) counts modes on.
    """

    num_modes: int = 8
    """Gaussians on the circle."""
    radius: float = 2.0
    """Of the circle."""
    scale: float = 0.02
    """Standard deviation of a mode."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "num_modes", "radius")

    @property
    def centers(self) -> np.ndarray:
        """Means of the modes, float32 [K, 2], counter-clockwise from (radius, 0)."""
        angles = 2 * math.pi * np.arange(self.num_modes) / self.num_modes
        return (self.radius * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid(GaussianModes):
    """Gaussians on a square grid around 0: 5 x 5 of standard deviation 0.05, 2 apart.

    The grid of VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) with the numbers of PacGAN (Lin
    et al. 2018, arXiv:1712.04086).
    """

    side: int = 5
    """Gaussians a row, and rows."""
    spacing: float = 2.0
    """Between neighbours."""
    scale: float = 0.05
    """Standard deviation of a mode."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "side", "spacing")

    @property
    def centers(self) -> np.ndarray:
        """Means of the modes, float32 [K, 2], row by row from the lower left."""
        line = self.spacing * (np.arange(self.side) - (self.side - 1) / 2)
        y, x = np.meshgrid(line, line, indexing="ij")
        return np.stack([x.ravel(), y.ravel()], 1).astype(np.float32)
