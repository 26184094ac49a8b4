"""A convolutional classifier: no generative model, but a ruler for them.

  loss = -E[(1 - s) log p(y|x) + s mean_k log p(k|x)]     nats

with s the label smoothing, 0 by default. It reads the labels of generated images
(`gm-jax evaluate RUN --classifier CLASSIFIER_RUN`), and its hidden layer gives the features in
which sets of images are compared (`--features CLASSIFIER_RUN`).
"""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import check_fraction, check_positive
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.functional.likelihoods import categorical_log_prob
from gm_jax.functional.pooling import max_pool
from gm_jax.labels import num_labels
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
from gm_jax.nets.conv import Conv
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs


@dataclasses.dataclass(frozen=True)
class Classifier(Family):
    """Convolutions with max-pooling, one hidden layer, and a softmax over the classes."""

    features: tuple[int, ...] = (32, 64)
    """Channels of the convolutions; each is followed by 2x2 max-pooling."""
    kernel_size: int = 3
    """Side of the kernels."""
    dense: int = 128
    """Width of the hidden layer."""
    dropout: float = 0.5
    """Share of the hidden layer that is dropped in training."""
    label_smoothing: float = 0.0
    """Share of each label that is spread over all classes in training."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""

    monitor: ClassVar[str] = "error"

    def __post_init__(self) -> None:
        check_positive(self, "features", "kernel_size", "dense")
        check_fraction(self, "dropout", "label_smoothing")

    def quick(self) -> "Classifier":
        return dataclasses.replace(self, features=tuple(min(f, 4) for f in self.features), dense=8)

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return {"cross_entropy": "surrogate"}

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: data without labels.
        """
        num_labels("Classifier", spec)
        x = jnp.zeros((1, *spec.shape))
        params = self._net(spec).init(rngs("params"), x, train=False)["params"]
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        x, label = to_symmetric(batch["image"], state.spec.num_levels), batch["label"]

        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            logits = self._net(state.spec).apply(
                {"params": params}, x, train=True, rngs={"dropout": rngs("dropout")}
            )  # [B, K]
            right = categorical_log_prob(logits, label)
            spread = jax.nn.log_softmax(logits).mean(-1)
            loss = -(right + self.label_smoothing * (spread - right)).mean()
            error = (logits.argmax(-1) != label).mean()
            return loss, ({"error": error}, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """cross_entropy in nats, of labels as they are; error: 1 where one is read wrongly."""
        log_probs, label = self.classify(state, batch), batch["label"]
        return {
            "cross_entropy": -jnp.take_along_axis(log_probs, label[:, None], axis=-1)[:, 0],
            "error": (log_probs.argmax(-1) != label).astype(jnp.float32),
        }

    def classify(self, state: TrainState, batch: Batch) -> Array:
        """log p(y|x), [B, K]."""
        x = to_symmetric(batch["image"], state.spec.num_levels)
        logits = self._net(state.spec).apply({"params": state.eval_params}, x, train=False)
        return jax.nn.log_softmax(logits)

    def embed(self, state: TrainState, batch: Batch) -> Array:
        """What the hidden layer says of each image, after its ReLU: float32 [B, dense]."""
        x = to_symmetric(batch["image"], state.spec.num_levels)
        return self._net(state.spec).apply(
            {"params": state.eval_params}, x, train=False, hidden=True
        )

    def _net(self, spec: DataSpec) -> Any:
        return ClassifierNet(self, spec.num_classes or 1)


class ClassifierNet(nn.Module):
    """(x [B, H, W, C], train) -> logits [B, K]; or, where `hidden`, the hidden layer [B, dense]."""

    config: Classifier
    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool, hidden: bool = False) -> jax.Array:
        config = self.config
        for width in config.features:
            x = nn.relu(Conv(width, (config.kernel_size, config.kernel_size))(x))
            x = max_pool(x, 2)
        x = nn.relu(nn.Dense(config.dense)(x.reshape(x.shape[0], -1)))
        if hidden:
            return x
        x = nn.Dropout(config.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_classes)(x)
