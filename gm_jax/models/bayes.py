"""A Gaussian for each class, and Bayes' rule (quadratic and linear discriminant analysis).

  p(y|x) = p(y) N(x; m_y, Sigma_y) / sum_y' p(y') N(x; m_y', Sigma_y')

Full covariances give Gaussian discriminant analysis with quadratic borders, a tied one with linear
borders (Fisher 1936), diagonal ones naive Bayes.

The fit is exact and has a closed form: counts, means and scatters of everything seen. One epoch of
updates is the maximum-likelihood fit (of images: to values dequantized once); later epochs only add
the same examples again (of images: with other noise), which leaves the fit where it is.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.functional.gaussian_fit import shares
from gm_jax.functional.gaussian_statistics import GaussianStatistics, pooled_mean_and_variance
from gm_jax.labels import num_labels
from gm_jax.model import Array, Batch, Metrics, TrainState, create_state
from gm_jax.models.gaussian_classes import GaussianClasses, Params
from gm_jax.rng import Rngs


@dataclasses.dataclass(frozen=True)
class Bayes(GaussianClasses):
    """Samples by label, and classifies; "tied" is one covariance for all classes."""

    @property
    def conditional(self) -> bool:
        """Always: the classes are the model."""
        return True

    def quick(self) -> "Bayes":
        return dataclasses.replace(self, covariance="diagonal")

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: data without labels.
        """
        params = self._empty_params(spec, num_labels("Bayes", spec), 1)
        if self.covariance == "tied":
            params["scales"] = params["scales"][:1]
        statistics = self._no_statistics(params["means"])
        return create_state(rngs, spec, params, None, {"statistics": statistics})

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        """Adds the batch to the statistics; "loss" is -log p(x, y) of the batch after that."""
        x, label = self._values(rngs, batch["image"], state.spec), batch["label"]

        def whole(y: Array, x: Array) -> tuple[Array, Array]:
            return jnp.ones((x.shape[0], 1)), jnp.zeros((x.shape[0],))

        statistics, _ = self._collect(state.model_state["statistics"], x, label, whole)
        params = self._fit(statistics)
        joint = self._joint(params, x)  # [B, C]
        log_prob = jnp.take_along_axis(joint, label[:, None], axis=-1).mean()
        metrics = {
            "loss": self._bin_log_volume(state.spec) - log_prob,
            "error": (joint.argmax(-1) != label).mean(),
        }
        new_state = state.replace(
            step=state.step + 1, params=params, model_state={"statistics": statistics}
        )
        return new_state, metrics

    def classify(self, state: TrainState, batch: Batch) -> Array:
        """log p(y|x), [B, K]; of images at the middle of each level's bin."""
        image, spec = batch["image"], state.spec
        if spec.continuous:
            x = spec.standardized(image)
        else:
            x = (image.astype(jnp.float32) + 0.5) / spec.num_levels
        return jax.nn.log_softmax(self._joint(state.params, x.reshape(x.shape[0], -1)))

    def _fit(self, statistics: GaussianStatistics) -> Params:
        """A class that was never seen has the mean and the variances of all others together."""
        seen = statistics.counts[..., None] > 0  # [C, 1, 1]
        mean, _ = pooled_mean_and_variance(statistics)
        grouped = statistics
        if self.covariance == "tied":  # [C, 1] to [1, C]: classes tied as the Gaussians of a class
            grouped = jax.tree.map(lambda s: jnp.swapaxes(s, 0, 1), statistics)
        return {
            "class_weights": shares(statistics.counts[:, 0]),
            "weights": shares(statistics.counts),
            "means": jnp.where(seen, statistics.mean, mean[None, None]),
            "scales": self._fit_scales(grouped),
        }
