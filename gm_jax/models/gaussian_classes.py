"""What the families of Gaussians share: a mixture of K Gaussians for each class, or one for all.

  p(x) = sum_y p(y) sum_k p(k|y) N(x; m_yk, Sigma_yk)

Points are modelled as they are, or standardized where their spec says so; densities and samples are
in their own units all the same. Images are modelled as dequantized values x = (levels + u) / L
with u ~ U[0, 1), whose density bounds the probability of the levels:

  -log P(levels) <= -E_u[log p(x)] + D log L                 (Theis et al. 2016, arXiv:1511.01844)

`params` holds the probabilities of the classes [C] and of each class's Gaussians [C, K], their
means [C, K, D], and their scales: Cholesky factors of the covariances, [C, K, D, D], or standard
deviations [C, K, D]; where Gaussians share one, that axis has length 1. Nothing has a gradient.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import check_not_negative, check_positive
from gm_jax.functional.class_blocks import class_blocks
from gm_jax.functional.dequantization import (
    dequantized_bits_per_dim,
    quantize,
    uniform_dequantize,
)
from gm_jax.functional.gaussian import (
    CovarianceName,
    multivariate_gaussian_log_prob,
    multivariate_gaussian_sample,
)
from gm_jax.functional.gaussian_fit import fit_scales
from gm_jax.functional.gaussian_statistics import (
    GaussianStatistics,
    empty_statistics,
    merge_statistics,
    weighted_statistics,
)
from gm_jax.functional.likelihoods import importance_log_prob
from gm_jax.labels import labels_to_draw, refuse_condition
from gm_jax.model import Array, Batch, Family, FigureKind, TrainState
from gm_jax.rng import Rngs

Params = dict[str, Array]
Weigh = Callable[[Array, Array], tuple[Array, Array]]
"""(class, x [S, D]) -> (weights of each Gaussian of the class [S, K], log-probabilities [S])."""

_BLOCK = 256  # examples of one class that meet its Gaussians together: bounds memory
_DRAWS = 64  # samples made together, each with its own copy of a scale


@dataclasses.dataclass(frozen=True)
class GaussianClasses(Family):
    """Densities, samples and Bayes' rule of fitted Gaussians; a family says how they are fitted."""

    covariance: CovarianceName = "full"
    """Full covariances, their diagonals, or one full covariance that Gaussians share."""
    variance_floor: float = 1e-6
    """Added to every variance (of values on [0, 1], where the data are images)."""
    shrinkage: float = 0.0
    """Weight of the prior, whose covariance is diagonal, against 1 for the examples of a class."""
    shrink_to: Literal["class", "data"] = "class"
    """Whose variances the prior has: those of the class's own examples, or those of all data, which
    widen what hardly varies within a class."""

    monitor: ClassVar[str] = "neg_log_prob"
    takes_points: ClassVar[bool] = True
    non_finite_hint: ClassVar[str] = (
        "a covariance was singular: try a larger model.variance_floor or model.shrinkage"
    )

    def __post_init__(self) -> None:
        check_positive(self, "variance_floor")
        check_not_negative(self, "shrinkage")

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        kind: FigureKind = "exact" if spec.continuous else "bound"
        return {"neg_log_prob": kind, "bits_per_dim": kind}

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """neg_log_prob in nats, of x without its label; bits_per_dim of images.

        Where classes have Gaussians of their own also error: 1 where the label is not the most
        probable one by Bayes' rule, else 0.
        """
        spec = state.spec
        joint = self._joint(state.params, self._values(rngs, batch["image"], spec))  # [B, C]
        log_prob = jax.nn.logsumexp(joint, axis=-1)
        figures = {"neg_log_prob": self._bin_log_volume(spec) - log_prob}
        if not spec.continuous:
            figures["bits_per_dim"] = dequantized_bits_per_dim(
                log_prob, spec.num_dims, spec.num_levels
            )
        if self.conditional:
            figures["error"] = (joint.argmax(-1) != batch["label"]).astype(jnp.float32)
        return figures

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """log p(x) in nats, [B]; of images a bound of log P(levels).

        The bound is the log of a mean of p over `num_samples` draws of the dequantizing noise, and
        grows with it towards the mass that the density puts on the levels' bin.
        """
        spec = state.spec
        if spec.continuous:
            return self.log_density(state, batch["image"])

        def draw(k: Array) -> Array:  # [B]
            x = self._values(rngs.at(k), batch["image"], spec)
            return jax.nn.logsumexp(self._joint(state.params, x), axis=-1)

        log_densities = jax.lax.map(draw, jnp.arange(num_samples))  # [S, B]
        return importance_log_prob(log_densities) - self._bin_log_volume(spec)

    def log_density(self, state: TrainState, points: Array) -> Array:
        """log p of points [N, H, W, C] (of images: dequantized values), nats, [N]."""
        x = state.spec.standardized(points)
        joint = self._joint(state.params, x.reshape(x.shape[0], -1))
        return jax.nn.logsumexp(joint, axis=-1) - state.spec.log_scale

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Draws a Gaussian of each sample's class, and from it: uint8 levels [num, H, W, C].

        Points are float32.

        Args:
          state: of a trained model.
          rngs: streams of the draw.
          num: how many.
          condition: labels [num] where classes have Gaussians of their own (None: the classes in
            turn, 0, 1, 2, ...).

        Raises:
          UserError: a condition to a model of no classes.
        """
        spec, params = state.spec, state.params
        if self.conditional:
            label = labels_to_draw(condition, num, spec)  # [num]
        else:
            refuse_condition(type(self).__name__, condition)
            label = jnp.zeros((num,), jnp.int32)  # the only class there is
        component = jax.random.categorical(rngs("component"), jnp.log(params["weights"])[label])
        noise = jax.random.normal(rngs("noise"), (num, spec.num_dims))

        def draw(item: tuple[Array, Array, Array]) -> Array:  # [D]
            y, k, noise = item
            return multivariate_gaussian_sample(noise, *_gaussian(params, y, k))

        x = jax.lax.map(draw, (label, component, noise), batch_size=_DRAWS)
        x = x.reshape(num, *spec.shape)
        return spec.restored(x) if spec.continuous else quantize(x, spec.num_levels)

    def _empty_params(self, spec: DataSpec, num_classes: int, num_components: int) -> Params:
        """Of the right shapes, before anything was seen."""
        d, k = spec.num_dims, 1 if self.covariance == "tied" else num_components
        scale = jnp.ones((d,)) if self.covariance == "diagonal" else jnp.eye(d)
        return {
            "class_weights": jnp.full((num_classes,), 1 / num_classes),
            "weights": jnp.full((num_classes, num_components), 1 / num_components),
            "means": jnp.zeros((num_classes, num_components, d)),
            "scales": jnp.tile(scale, (num_classes, k, *[1] * scale.ndim)),
        }

    def _fit_scales(self, statistics: GaussianStatistics) -> Array:
        """Scales of the Gaussians of each class, [C, K or 1, ...]."""
        own_prior = self.shrink_to == "class"
        return fit_scales(
            statistics, self.covariance, self.variance_floor, self.shrinkage, own_prior
        )

    def _values(self, rngs: Rngs, image: Array, spec: DataSpec) -> Array:
        """What is modelled: points, or dequantized levels in [0, 1), float32 [B, D]."""
        if spec.continuous:
            x = spec.standardized(image)
        else:
            x = uniform_dequantize(rngs("dequantization"), image, spec.num_levels)
        return x.reshape(x.shape[0], -1)

    def _bin_log_volume(self, spec: DataSpec) -> float:
        """What turns -log p of dequantized values into a bound of -log P of levels: D log L.

        Of standardized points: what turns it into that of the points.
        """
        return spec.log_scale if spec.continuous else spec.num_dims * math.log(spec.num_levels)

    def _joint(self, params: Params, x: Array) -> Array:
        """log p(x, y) of x [B, D] for every class, [B, C]."""

        def of_class(y: Array) -> Array:  # [B]
            return jax.nn.logsumexp(self._component_joint(params, y, x), axis=-1)

        return jax.lax.map(of_class, jnp.arange(params["means"].shape[0])).T

    def _component_joint(self, params: Params, y: Array, x: Array) -> Array:
        """log p(x, k, y) of x [B, D] for every Gaussian of class y, [B, K]."""
        log_weights = jnp.log(params["class_weights"][y] * params["weights"][y])  # [K]

        def of_component(k: Array) -> Array:  # [B]
            return multivariate_gaussian_log_prob(x, *_gaussian(params, y, k)) + log_weights[k]

        return jax.lax.map(of_component, jnp.arange(log_weights.shape[0])).T

    def _collect(
        self, statistics: GaussianStatistics, x: Array, labels: Array, weigh: Weigh
    ) -> tuple[GaussianStatistics, Array]:
        """Adds a batch to statistics [C, K], each example to those of its class only.

        Returns:
          The statistics, and the mean over the batch of the log-probabilities that `weigh` gives.
        """
        num, num_classes = x.shape[0], statistics.counts.shape[0]
        blocks = class_blocks(labels, num_classes, min(num, _BLOCK))

        def add(
            carry: tuple[GaussianStatistics, Array], block: Any
        ) -> tuple[tuple[GaussianStatistics, Array], None]:
            statistics, total = carry
            y, index, mask = block
            inside = x[index]  # [S, D]
            weights, log_prob = weigh(y, inside)
            new = weighted_statistics(
                inside, jnp.where(mask[:, None], weights, 0.0), statistics.diagonal
            )
            merged = merge_statistics(jax.tree.map(lambda s: s[y], statistics), new)
            statistics = jax.tree.map(lambda s, m: s.at[y].set(m), statistics, merged)
            return (statistics, total + jnp.where(mask, log_prob, 0.0).sum()), None

        (statistics, total), _ = jax.lax.scan(add, (statistics, jnp.zeros(())), blocks)
        return statistics, total / num

    def _no_statistics(self, means: Array) -> GaussianStatistics:
        return empty_statistics(means, self.covariance == "diagonal")


def _gaussian(params: Params, y: Array, k: Array) -> tuple[Array, Array]:
    """Mean [D] and scale of Gaussian k of class y."""
    scales = params["scales"]
    row = scales[y if scales.shape[0] > 1 else 0]
    return params["means"][y, k], row[k if row.shape[0] > 1 else 0]
