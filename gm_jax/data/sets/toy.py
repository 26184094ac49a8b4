"""Points on a line or in the plane, from mixtures of Gaussians that are known."""

import dataclasses
import functools
import math

import numpy as np

from gm_jax.data.source import ArrayExamples, Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.split_expressions import split_indices
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.rng import numpy_generator


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyPoints(Source):
    """Points in splits of given sizes; a label is the index of the mode that a point is from.

    A point is float32 [1, 1, D]. What a split holds depends on the seed and the split's name
    alone: a larger split begins with the points of a smaller one.
    """

    num_train: int = 50_000
    """Points in "train"."""
    num_validation: int = 2_000
    """Points in "validation" (also "valid")."""
    num_test: int = 10_000
    """Points in "test"."""
    seed: int = 0
    """Of the points; that of the experiment changes their order only."""

    def __post_init__(self) -> None:
        check_positive(self, "num_train", "num_validation", "num_test")
        check_not_negative(self, "seed")

    @property
    def centers(self) -> np.ndarray:
        """Means of the modes, float32 [K, D]."""
        raise NotImplementedError

    @property
    def spec(self) -> DataSpec:
        num_modes, num_dims = self.centers.shape
        return DataSpec((1, 1, num_dims), num_classes=num_modes, continuous=True)

    def open(self, split: str) -> Examples:
        sizes = {"train": self.num_train, "validation": self.num_validation, "test": self.num_test}
        parts = split_indices(split, sizes)
        points, labels = zip(
            *(self._draw(name, indices, sizes[name]) for name, indices in parts), strict=True
        )
        return ArrayExamples(np.concatenate(points), np.concatenate(labels))

    def _draw(self, split: str, indices: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The points at `indices` of a split, float32 [n, 1, 1, D], and their modes, int32 [n]."""
        stream = functools.partial(numpy_generator, self.seed, split)
        num_dims = self.centers.shape[1]
        modes = self._draw_modes(stream("modes"), size)[indices]
        noise = stream("noise").standard_normal((size, num_dims), np.float32)[indices]
        points = self.centers[modes] + self._spread(noise, modes)
        return points.reshape(-1, 1, 1, num_dims), modes

    def _draw_modes(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """The mode of each point, int32 [size]."""
        return rng.integers(0, len(self.centers), size, np.int32)

    def _spread(self, noise: np.ndarray, modes: np.ndarray) -> np.ndarray:
        """Standard normal noise [n, D] with the covariances of the modes [n]."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianModes(ToyPoints):
    """Round Gaussians of one width, equally probable: the benchmarks of mode collapse."""

    scale: float
    """Standard deviation of a mode."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "scale")

    def _spread(self, noise: np.ndarray, modes: np.ndarray) -> np.ndarray:
        return np.float32(self.scale) * noise


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clusters(ToyPoints):
    """A few Gaussians of any shape, on a line or in the plane: what a mixture can be fitted to.

    The points and the fit have one form, so that the fit can be held against the truth.
    """

    weights: tuple[float, ...] = (0.35, 0.3, 0.2, 0.15)
    """Probability of each Gaussian, in all 1."""
    means: tuple[float, ...] = (-2.5, 0.0, 2.0, 2.0, 2.5, -1.5, -1.5, -2.5)
    """Mean of one Gaussian after another: one number on a line, two in the plane."""
    deviations: tuple[float, ...] = (0.5, 1.0, 1.2, 0.3, 0.4, 0.9, 0.6, 0.4)
    """Standard deviations in the same order."""
    correlations: tuple[float, ...] = (0.6, 0.0, -0.7, 0.3)
    """Correlation of the two coordinates, of each Gaussian in the plane; empty on a line."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "weights", "deviations")
        num = len(self.weights)
        if not math.isclose(sum(self.weights), 1.0, rel_tol=1e-6):
            raise ConfigError(f"Clusters.weights must be 1 in all, not {sum(self.weights):g}")
        if len(self.means) not in (num, 2 * num):
            raise ConfigError(
                f"Clusters.means needs {num} numbers (a line) or {2 * num} (the plane) for {num} "
                f"weights, not {len(self.means)}"
            )
        if len(self.deviations) != len(self.means):
            raise ConfigError(
                f"Clusters.deviations needs as many numbers as means, {len(self.means)}, not "
                f"{len(self.deviations)}"
            )
        wanted = num if len(self.means) == 2 * num else 0
        if len(self.correlations) != wanted or not all(-1 < c < 1 for c in self.correlations):
            raise ConfigError(
                f"Clusters.correlations needs {wanted} numbers in (-1, 1), not {self.correlations}"
            )

    @property
    def centers(self) -> np.ndarray:
        """Means of the Gaussians, float32 [K, D]."""
        return np.array(self.means, np.float32).reshape(len(self.weights), -1)

    @property
    def covariances(self) -> np.ndarray:
        """Of the Gaussians, float64 [K, D, D]."""
        deviations = np.array(self.deviations).reshape(len(self.weights), -1)  # [K, D]
        correlation = np.tile(np.eye(deviations.shape[1]), (len(deviations), 1, 1))
        if self.correlations:
            correlation[:, 0, 1] = correlation[:, 1, 0] = self.correlations
        return deviations[:, :, None] * correlation * deviations[:, None, :]

    def _draw_modes(self, rng: np.random.Generator, size: int) -> np.ndarray:
        edges = np.cumsum(self.weights)[:-1]
        return np.searchsorted(edges, rng.random(size), side="right").astype(np.int32)

    def _spread(self, noise: np.ndarray, modes: np.ndarray) -> np.ndarray:
        scales = np.linalg.cholesky(self.covariances).astype(np.float32)  # [K, D, D]
        return np.einsum("nij,nj->ni", scales[modes], noise)
