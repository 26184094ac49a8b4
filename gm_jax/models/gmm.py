"""Mixture of Gaussians by expectation maximization (Dempster, Laird & Rubin 1977).

  E:  r_k = p(k|x) = pi_k N(x; m_k, Sigma_k) / sum_j pi_j N(x; m_j, Sigma_j)
  M:  pi_k = mean of r_k,   m_k = mean of x under r_k,   Sigma_k = covariance of x under r_k

Two ways to go through the data:

- "batch": statistics of `accumulate_steps` batches make one M-step. Where these are a whole epoch
  (batch_size * accumulate_steps = the number of examples, which the loop's order makes each example
  once) it is EM, and never lessens the likelihood of the training data (without shrinkage: with it,
  the posterior of a prior with those parameters; of images, up to the noise that dequantizes them
  anew in every step).
- "stepwise": each batch moves running statistics s and makes an M-step from them (Cappe & Moulines
  2009, "On-line expectation-maximization algorithm for latent data models", arXiv:0712.4273), with
  the steps of Liang & Klein (2009, "Online EM for unsupervised models"):

    s <- (1 - eta) s + eta s_batch          eta = (t + 2)^-step_exponent

The start comes from the first batch: means by k-means, the best of several starts; equal weights;
and for each class one spherical covariance, the mean variance of the values within its clusters.

A Gaussian that loses its examples in the first M-steps takes half of the heaviest one's. Later, one
that no example belongs to keeps its mean, while its covariance becomes that of the prior, so that
it can take examples again; its weight is 1e-7, never 0. A class of which an M-step saw no example
keeps its mixture.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.functional.gaussian_fit import shares
from gm_jax.functional.gaussian_statistics import (
    GaussianStatistics,
    merge_statistics,
    scale_statistics,
    split_heaviest,
)
from gm_jax.functional.kmeans import kmeans
from gm_jax.labels import num_labels
from gm_jax.model import Array, Batch, Metrics, TrainState, create_state
from gm_jax.models.gaussian_classes import GaussianClasses, Params
from gm_jax.rng import Rngs

# Share of a mixture, in units of an equal one, below which a Gaussian has lost its examples.
_LOST = 0.1


@dataclasses.dataclass(frozen=True)
class GMM(GaussianClasses):
    """One mixture of all data, or one for each class; "tied" is one covariance for a mixture."""

    num_components: int = 10
    """Gaussians of a mixture."""
    per_class: bool = False
    """A mixture for each class, by the labels of the batch; classes are as probable as frequent."""
    algorithm: Literal["batch", "stepwise"] = "batch"
    """EM on whole epochs, or on a stream of batches."""
    accumulate_steps: int = 1
    """Batches that make one M-step (batch): those of an epoch, for EM as it is known."""
    step_exponent: float = 0.7
    """Of the step size (stepwise), in (0.5, 1]: small ones forget the start sooner."""
    starts: int = 10
    """Starts by k-means++, of which that with the least distances to its means is kept."""
    lloyd_steps: int = 10
    """Steps of k-means from each start (0: none, and the first covariance is that of all data)."""
    revival_steps: int = 10
    """M-steps in which a Gaussian of less than a tenth of an equal share takes half of the heaviest
    one's examples; the likelihood may fall there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "num_components", "accumulate_steps", "step_exponent", "starts")
        check_not_negative(self, "lloyd_steps", "revival_steps")
        if not 0.5 < self.step_exponent <= 1:
            raise ConfigError(f"GMM.step_exponent must be in (0.5, 1], not {self.step_exponent}")
        if self.algorithm == "stepwise" and self.accumulate_steps != 1:
            raise ConfigError(
                "GMM.accumulate_steps is for the algorithm batch: leave it 1 and raise "
                "data.batch_size"
            )

    @property
    def conditional(self) -> bool:
        """Whether samples are drawn by label."""
        return self.per_class

    def check_batch(self, size: int) -> None:
        """Looks whether the first batch can start every component.

        Raises:
          ConfigError: it has fewer examples than there are components.
        """
        if size < self.num_components:
            raise ConfigError(
                f"GMM starts its {self.num_components} components from one batch, and a batch of "
                f"{size} would leave some empty: set data.batch_size to at least "
                f"{self.num_components}, or a smaller model.num_components",
                "--data.batch-size, --model.num-components",
            )

    def quick(self) -> "GMM":
        return dataclasses.replace(
            self,
            num_components=min(self.num_components, 2),
            accumulate_steps=min(self.accumulate_steps, 2),
            covariance="diagonal",
        )

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A state of the right shapes; the first batch starts it.

        Raises:
          ConfigError: mixtures per class for data without labels.
        """
        num_classes = num_labels("GMM", spec) if self.per_class else 1
        params = self._empty_params(spec, num_classes, self.num_components)
        statistics = self._no_statistics(params["means"])
        return create_state(rngs, spec, params, None, {"statistics": statistics})

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        """One E-step on the batch and, where it is due, an M-step.

        The metrics are "loss", the mean of -log p(x) (of -log p(x, y) with mixtures per class; of
        images with D log L, as a bound) before the M-step; and after it the least weight of any
        Gaussian of a mixture and the least value on the diagonal of a scale.
        """
        x = self._values(rngs, batch["image"], state.spec)
        label = batch["label"] if self.per_class else jnp.zeros((x.shape[0],), jnp.int32)
        # A state of weights that were given has means already.
        starts = (state.step == 0) & jnp.all(state.params["means"] == 0)
        params: Params = jax.lax.cond(
            starts,
            lambda: self._start(rngs("seeds"), state.params, x, label),
            lambda: state.params,
        )
        old: GaussianStatistics = state.model_state["statistics"]
        if self.algorithm == "stepwise":
            statistics, log_prob = self._step_statistics(state.step, starts, old, params, x, label)
            statistics, new_params = self._maximize(state.step, statistics, params)
        else:
            statistics, log_prob = self._add_statistics(state.step, old, params, x, label)
            statistics, new_params = jax.lax.cond(
                (state.step + 1) % self.accumulate_steps == 0,
                lambda: self._maximize(state.step, statistics, params),
                lambda: (statistics, params),
            )
        scales = new_params["scales"]
        deviations = scales if scales.ndim == 3 else jnp.diagonal(scales, axis1=-2, axis2=-1)
        metrics = {
            "loss": self._bin_log_volume(state.spec) - log_prob,
            "least_weight": new_params["weights"].min(),
            "least_scale": deviations.min(),
        }
        new_state = state.replace(
            step=state.step + 1, params=new_params, model_state={"statistics": statistics}
        )
        return new_state, metrics

    def _start(self, key: Array, params: Params, x: Array, label: Array) -> Params:
        """Means among the examples of each class in the batch, or among all where it has none."""
        num_classes = params["means"].shape[0]

        def clusters(y: Array) -> tuple[Array, Array]:  # [K, D], []
            mine = (label == y).astype(x.dtype)
            start = jax.random.fold_in(key, y)
            return kmeans(start, x, mine, self.num_components, self.lloyd_steps, self.starts)

        means, cost = jax.lax.map(clusters, jnp.arange(num_classes))
        variance = cost / x.shape[1] if self.lloyd_steps else x.var(0).mean()[None]
        spread = jnp.sqrt(variance + self.variance_floor)
        scales = params["scales"]  # of unit Gaussians, as `init` made them
        return {
            **params,
            "means": means,
            "scales": spread.reshape(-1, *[1] * (scales.ndim - 1)) * scales,
        }

    def _add_statistics(
        self, step: Array, old: GaussianStatistics, params: Params, x: Array, label: Array
    ) -> tuple[GaussianStatistics, Array]:
        """Statistics of the batches since the last M-step, and the mean of log p."""
        first = step % self.accumulate_steps == 0
        empty = self._no_statistics(params["means"])
        statistics = jax.tree.map(lambda e, s: jnp.where(first, e, s), empty, old)
        return self._expect(statistics, params, x, label)

    def _step_statistics(
        self,
        step: Array,
        starts: Array,
        old: GaussianStatistics,
        params: Params,
        x: Array,
        label: Array,
    ) -> tuple[GaussianStatistics, Array]:
        """Statistics moved towards those of the batch, of one example on average, and log p."""
        started = self._statistics_of_start(params)
        running = jax.tree.map(lambda a, b: jnp.where(starts, a, b), started, old)
        new, log_prob = self._expect(self._no_statistics(params["means"]), params, x, label)
        eta = (step + 2.0) ** -self.step_exponent
        merged = merge_statistics(
            scale_statistics(running, 1 - eta), scale_statistics(new, eta / x.shape[0])
        )
        return merged, log_prob

    def _statistics_of_start(self, params: Params) -> GaussianStatistics:
        """What the start's Gaussians, whose scales are diagonal, would give on average."""
        count = params["class_weights"][:, None] * params["weights"]  # [C, K]
        scales = params["scales"]
        over = count.reshape(count.shape + (1,) * (scales.ndim - 2))
        return GaussianStatistics(count, params["means"], over * scales**2)

    def _expect(
        self, statistics: GaussianStatistics, params: Params, x: Array, label: Array
    ) -> tuple[GaussianStatistics, Array]:
        """The E-step: adds a batch to statistics; and the mean of log p."""

        def responsibilities(y: Array, x: Array) -> tuple[Array, Array]:
            joint = self._component_joint(params, y, x)  # [S, K]
            log_prob = jax.nn.logsumexp(joint, axis=-1)
            return jnp.exp(joint - log_prob[:, None]), log_prob

        return self._collect(statistics, x, label, responsibilities)

    def _maximize(
        self, step: Array, statistics: GaussianStatistics, params: Params
    ) -> tuple[GaussianStatistics, Params]:
        """The M-step, and what it was made of: the statistics, or those after a revival."""
        seen = statistics.counts.sum(-1) > 0  # [C]
        if self.revival_steps and self.num_components > 1:
            due = step < self.revival_steps * self.accumulate_steps
            statistics = jax.lax.cond(
                due, lambda: jax.lax.map(_revive, statistics), lambda: statistics
            )
        new = {
            "weights": shares(statistics.counts),
            "means": statistics.mean,
            "scales": self._fit_scales(statistics),
        }
        kept = {
            name: jnp.where(seen.reshape(-1, *[1] * (value.ndim - 1)), value, params[name])
            for name, value in new.items()
        }
        return statistics, {"class_weights": shares(statistics.counts.sum(-1)), **kept}


def _revive(statistics: GaussianStatistics) -> GaussianStatistics:
    """Of the K Gaussians of a class: each that lost its examples takes half of the heaviest's."""

    def look(k: Array, statistics: GaussianStatistics) -> GaussianStatistics:
        count = statistics.counts
        lost = count[k] < _LOST * count.mean()
        return jax.lax.cond(lost, lambda: split_heaviest(statistics, k), lambda: statistics)

    result: GaussianStatistics = jax.lax.fori_loop(0, statistics.counts.shape[0], look, statistics)
    return result
