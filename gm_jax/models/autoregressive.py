"""What the autoregressive families share: exact likelihoods, samplers and in-painting.

  log P(x) = sum_d log softmax(logits_d(x_1 .. x_{d-1}))[x_d]       nats, exact

over the values of an image in raster order: pixels row by row, channels within a pixel. A family
says how its network makes the logits, of all positions at once and of one after the other.
"""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.functional.ancestral_sampling import (
    Draws,
    sample_plain,
    sample_predictive,
)
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.functional.dtypes import full_precision
from gm_jax.functional.likelihoods import (
    categorical_log_prob,
    nats_to_bits_per_dim,
    sum_per_example,
)
from gm_jax.labels import labels_of, labels_to_draw, num_labels, one_hot, refuse_condition
from gm_jax.model import (
    Array,
    Batch,
    Family,
    FigureKind,
    Metrics,
    TrainState,
    create_state,
    gradient_update,
)
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs
from gm_jax.sampling import AutoregressiveSampling


@dataclasses.dataclass(frozen=True)
class Autoregressive(Family):
    """Each value by all the values before it."""

    conditional: bool = False
    """Whether the network is told the label: p(x|y)."""
    sampling: AutoregressiveSampling = AutoregressiveSampling()
    """How images are drawn."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""

    monitor: ClassVar[str] = "bits_per_dim"

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return {"bits_per_dim": "exact", "neg_log_prob": "exact"}

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: a conditional model of data without labels.
        """
        if self.conditional:
            num_labels(f"a conditional {type(self).__name__}", spec)
        self._check_spec(spec)
        label = jnp.zeros((1, spec.num_classes or 0)) if self.conditional else None
        x = self._inputs(jnp.zeros((1, *spec.shape)))
        params = self._network(spec).init(rngs("params/network"), x, label)["params"]
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            loss = -self._log_prob(params, batch, state.spec, rngs("dropout")).mean()
            bits = nats_to_bits_per_dim(loss, state.spec.num_dims)
            return loss, ({"bits_per_dim": bits}, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """neg_log_prob in nats and bits_per_dim, both exact (of p(x|y), if conditional)."""
        nats = -self._log_prob(state.eval_params, batch, state.spec)
        return {
            "bits_per_dim": nats_to_bits_per_dim(nats, state.spec.num_dims),
            "neg_log_prob": nats,
        }

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """log P(x), or log P(x|y): nats, exact whatever `num_samples` is, [B].

        Raises:
          UserError: a conditional model, and a batch without labels.
        """
        return self._log_prob(state.eval_params, batch, state.spec)

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Draws value after value: uint8 levels [num, H, W, C].

        Args:
          state: of a trained model.
          rngs: of the noise; position d has its own, whatever the sampler.
          num: how many.
          condition: labels [num] of a conditional model (None: the classes in turn, 0, 1, 2, ...).

        Raises:
          UserError: a condition to an unconditional model.
        """
        draws = Draws(rngs("levels"), num, state.spec.num_dims)
        return self._draw(state, draws, condition)

    def inpaint(
        self, state: TrainState, rngs: Rngs, image: Array, known: Array, condition: Any = None
    ) -> Array:
        """Keeps what is known of images, and draws the rest: uint8 levels [B, H, W, C].

        Each value is drawn by all values before it in raster order, given ones and drawn ones
        alike. That is no draw from p(unknown | known): what is known of later positions has no part
        in a value, and enters only as the values after it are drawn. Where nothing is known it is
        `sample`, with the same images for the same rngs.

        Args:
          state: of a trained model.
          rngs: of the noise.
          image: uint8 levels, [B, H, W, C].
          known: which of them are given: bool [B, H, W], or [B, H, W, C].
          condition: as in `sample`.

        Raises:
          UserError: a condition to an unconditional model.
        """
        known = jnp.asarray(known)
        known = known[..., None] if known.ndim == 3 else known
        known = jnp.broadcast_to(known, image.shape).reshape(len(image), -1)
        given = jnp.asarray(image).astype(jnp.int32).reshape(len(image), -1)
        draws = Draws(rngs("levels"), len(image), state.spec.num_dims, given, known)
        return self._draw(state, draws, condition)

    def _draw(self, state: TrainState, draws: Draws, condition: Any) -> Array:
        """uint8 levels [B, H, W, C] by the model's sampler."""
        spec, params = state.spec, state.eval_params
        label = self._turns(condition, draws.batch_size, spec)

        def logits_of(x: Array) -> Array:  # [B, D] -> [B, D, L]
            image = x.reshape(-1, *spec.shape)
            return self._logits(params, image, label, spec).reshape(*x.shape, spec.num_levels)

        # Logits that differ by rounding alone choose the same level, but for a hair.
        with full_precision():
            match self.sampling.sampler:
                case "plain":
                    x = sample_plain(logits_of, draws)
                case "predictive":
                    x, _ = sample_predictive(logits_of, draws)
                case "cached":
                    x = self._sample_cached(params, draws, label, spec)
        return x.reshape(-1, *spec.shape).astype(jnp.uint8)

    def _turns(self, condition: Any, num: int, spec: DataSpec) -> Array | None:
        """One-hot labels [num, K] to draw by, or None for a model without."""
        if self.conditional:
            return one_hot(labels_to_draw(condition, num, spec), spec)
        refuse_condition(type(self).__name__, condition)
        return None

    def _log_prob(
        self, params: Any, batch: Batch, spec: DataSpec, dropout_key: Array | None = None
    ) -> Array:
        """Nats, [B]; training with a key."""
        label = None
        if self.conditional:
            label = one_hot(labels_of(type(self).__name__, batch), spec)
        logits = self._logits(params, batch["image"], label, spec, dropout_key)  # [B, H, W, C, L]
        return sum_per_example(categorical_log_prob(logits, batch["image"]))

    def _logits(
        self,
        params: Any,
        image: Array,
        label: Array | None,
        spec: DataSpec,
        dropout_key: Array | None = None,
    ) -> Array:
        """Of all values of images of levels [B, H, W, C]: float32 [B, H, W, C, L]."""
        x = self._inputs(to_symmetric(image, spec.num_levels))
        rngs = {} if dropout_key is None else {"dropout": dropout_key}
        outputs: Any = self._network(spec).apply({"params": params}, x, label, rngs=rngs)
        return jnp.reshape(outputs, (*image.shape, spec.num_levels)).astype(jnp.float32)

    def _check_spec(self, spec: DataSpec) -> None:
        """Raises ConfigError unless the network fits such images."""

    def _inputs(self, x: Array) -> Array:
        """What the network is given of images on [-1, 1], float32 [B, H, W, C]."""
        return x

    def _network(self, spec: DataSpec) -> nn.Module:
        """(inputs, one-hot labels [B, K] or None) -> logits, [B, ..] in raster order."""
        raise NotImplementedError

    def _sample_cached(
        self, params: Any, draws: Draws, label: Array | None, spec: DataSpec
    ) -> Array:
        """int32 levels [B, D], one column of the network for each position."""
        raise NotImplementedError
