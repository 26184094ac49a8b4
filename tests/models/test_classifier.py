"""The classifier learns, and its figures are what NumPy says of its log probabilities."""

import chex
import jax
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError
from gm_jax.model import Classifies, Model
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

SPEC = DataSpec((5, 6, 1), num_levels=4, num_classes=3)


def batch_of(num, seed):
    """Images whose brightest row is their label, under noise."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, num).astype(np.int32)
    image = rng.integers(0, 2, (num, *SPEC.shape)).astype(np.uint8)
    image[np.arange(num), label] = 3
    return {"image": image, "label": label}


def test_it_learns_and_its_figures_are_numpys():
    model = Classifier(
        features=(4,), dense=16, dropout=0.1, optimizer=Optimizer(learning_rate=1e-2)
    )
    assert isinstance(model, Model)
    assert isinstance(model, Classifies)
    root = rngs_from_seed(0)
    state = model.init(root.at("init"), SPEC)
    update = jax.jit(model.update)
    for t in range(60):
        state, metrics = update(state, batch_of(32, t), root.at("train", t))
    chex.assert_tree_all_finite(metrics)
    batch = batch_of(200, 99)
    log_probs = np.asarray(model.classify(state, batch), np.float64)
    chex.assert_shape(log_probs, (200, 3))
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1, rtol=1e-5)
    figures = model.evaluate(state, batch, root)
    right = log_probs[np.arange(200), batch["label"]]
    np.testing.assert_allclose(figures["cross_entropy"], -right, rtol=1e-5)
    np.testing.assert_array_equal(figures["error"], right < log_probs.max(1))
    assert figures["error"].mean() < 0.05


def test_data_without_labels_are_refused():
    with pytest.raises(ConfigError, match="needs labels"):
        Classifier().init(rngs_from_seed(0), DataSpec((5, 6, 1)))
