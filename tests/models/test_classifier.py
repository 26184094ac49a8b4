"""The classifier learns, and its figures are what NumPy says of its log probabilities."""

import chex
import jax
import numpy as np
import optax
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError
from gm_jax.model import Classifies, Family
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
    assert isinstance(model, Family)
    assert isinstance(model, Classifies)
    root = rngs_from_seed(0)
    state = jax.jit(model.init, static_argnums=1)(root.at("init"), SPEC)
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


@pytest.mark.slow
def test_smoothed_labels_are_optaxs():
    batch, root = batch_of(40, 1), rngs_from_seed(0)
    model = Classifier(features=(4,), dense=8, dropout=0.0, label_smoothing=0.2)
    state = jax.jit(model.init, static_argnums=1)(root.at("init"), SPEC)
    labels = optax.smooth_labels(jax.nn.one_hot(batch["label"], 3), 0.2)
    expected = optax.softmax_cross_entropy(model.classify(state, batch), labels).mean()
    _, metrics = model.update(state, batch, root)
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    plain = Classifier(features=(4,), dense=8, dropout=0.0)
    _, metrics = plain.update(state, batch, root)
    figures = model.evaluate(state, batch, root)
    np.testing.assert_allclose(metrics["loss"], figures["cross_entropy"].mean(), rtol=1e-5)


def test_dropout_is_drawn_anew_by_name_and_only_in_training():
    batch, root = batch_of(40, 1), rngs_from_seed(0)
    model = Classifier(features=(4,), dense=16)
    state = jax.jit(model.init, static_argnums=1)(root.at("init"), SPEC)
    losses = [model.update(state, batch, root.at("train", t))[1]["loss"] for t in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    chex.assert_trees_all_equal(
        model.evaluate(state, batch, root.at("a")), model.evaluate(state, batch, root.at("b"))
    )


@pytest.mark.parametrize("shape", [(7, 7, 3), (1, 2, 1)])
def test_any_size_and_channels(shape):
    spec = DataSpec(shape, num_levels=256, num_classes=2)
    state = Classifier().quick().init(rngs_from_seed(0), spec)
    image = np.full((3, *shape), 255, np.uint8)
    chex.assert_shape(Classifier().quick().classify(state, {"image": image}), (3, 2))


def test_data_without_labels_are_refused():
    with pytest.raises(ConfigError, match="needs labels"):
        Classifier().init(rngs_from_seed(0), DataSpec((5, 6, 1)))
