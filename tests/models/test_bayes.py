"""One Gaussian per class against scipy and scikit-learn."""

import chex
import jax
import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax, logsumexp
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.naive_bayes import GaussianNB

from gm_jax.data import DataSpec
from gm_jax.errors import ConfigError
from gm_jax.functional.dequantization import uniform_dequantize
from gm_jax.models.bayes import Bayes
from gm_jax.rng import rngs_from_seed

SPEC = DataSpec((8, 8, 1), num_levels=17, num_classes=10)
TRAIN = 1400


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    batch = {
        "image": images.reshape(-1, 8, 8, 1).astype(np.uint8),
        "label": labels.astype(np.int32),
    }
    return {k: v[:TRAIN] for k, v in batch.items()}, {k: v[TRAIN:] for k, v in batch.items()}


def fresh(model, spec=SPEC):
    return jax.jit(lambda: model.init(rngs_from_seed(0), spec))()


def fit(model, batches):
    state, update = fresh(model), jax.jit(model.update)
    for step, batch in enumerate(batches):
        state, metrics = update(state, batch, rngs_from_seed(1).at(step))
        chex.assert_tree_all_finite(metrics)
    return state


def seen(batch, step=0):
    """What the model was fitted to: the values dequantized with its own key."""
    key = rngs_from_seed(1).at(step)("dequantization")
    x = uniform_dequantize(key, batch["image"], 17)
    return np.asarray(x, np.float64).reshape(len(x), -1)


@pytest.mark.parametrize(
    ("covariance", "shrink_to"),
    [("full", "data"), ("full", "class"), ("diagonal", "class"), ("tied", "data")],
)
def test_posterior_and_likelihood_are_those_of_the_estimates(digits, covariance, shrink_to):
    train, test = digits
    model = Bayes(covariance=covariance, variance_floor=1e-3, shrinkage=0.1, shrink_to=shrink_to)
    state = fit(model, [train])
    x, labels = seen(train), train["label"]
    classes = [x[labels == y] for y in range(10)]
    targets = [np.diag((c if shrink_to == "class" else x).var(0)) for c in classes]
    own = [np.cov(c.T, ddof=0) for c in classes]
    shares = np.bincount(labels) / TRAIN
    if covariance == "tied":
        own = [sum(s * c for s, c in zip(shares, own, strict=True))] * 10
    own = [(c + 0.1 * t) / 1.1 + 1e-3 * np.eye(64) for c, t in zip(own, targets, strict=True)]
    if covariance == "diagonal":
        own = [np.diag(np.diag(c)) for c in own]
    z = (test["image"].reshape(-1, 64) + 0.5) / 17
    joint = np.stack(
        [
            stats.multivariate_normal(c.mean(0), s).logpdf(z) + np.log(p)
            for c, s, p in zip(classes, own, shares, strict=True)
        ],
        -1,
    )
    posterior = model.classify(state, test)
    np.testing.assert_allclose(posterior, log_softmax(joint, -1), rtol=1e-2, atol=0.05)
    density = model.log_density(state, z.reshape(-1, 8, 8, 1).astype(np.float32))
    np.testing.assert_allclose(density, logsumexp(joint, -1), rtol=2e-3)


@pytest.mark.parametrize(
    ("covariance", "theirs"),
    [
        ("full", QuadraticDiscriminantAnalysis(tol=1e-9)),
        ("tied", LinearDiscriminantAnalysis()),
        ("diagonal", GaussianNB(var_smoothing=0.0)),
    ],
)
def test_classes_are_scikit_learns(digits, covariance, theirs):
    """Without regularization, which each does in its own way: the noise keeps them regular."""
    train, test = digits
    model = Bayes(covariance=covariance, variance_floor=1e-9)
    state = fit(model, [train])
    z = (test["image"].reshape(-1, 64) + 0.5) / 17
    theirs.fit(seen(train), train["label"])
    posterior = np.exp(model.classify(state, test))
    # They divide by n - 1 (n - 10 when tied), which moves posteriors of doubtful images only.
    np.testing.assert_allclose(posterior.sum(1), 1.0, rtol=1e-5)
    assert (posterior.argmax(1) == theirs.predict(z)).mean() > 0.99
    assert np.abs(posterior - theirs.predict_proba(z)).mean() < 0.005
    ours = (posterior.argmax(1) == test["label"]).mean()
    assert abs(ours - theirs.score(z, test["label"])) < 0.011
    figures = model.evaluate(state, test, rngs_from_seed(0))
    np.testing.assert_allclose(1 - figures["error"].mean(), ours, atol=0.05)


def test_batches_in_turn_are_the_fit_of_the_whole(digits):
    train, _ = digits
    batches = [{k: v[i : i + 175] for k, v in train.items()} for i in range(0, TRAIN, 175)]
    state = fit(Bayes(), batches)
    x = np.concatenate([seen(batch, step) for step, batch in enumerate(batches)])
    for y in (0, 9):
        mine = x[train["label"] == y]
        np.testing.assert_allclose(state.params["means"][y, 0], mine.mean(0), atol=1e-5)
        scale = np.asarray(state.params["scales"][y, 0])
        np.testing.assert_allclose(scale @ scale.T, np.cov(mine.T, ddof=0), atol=1e-4)
    shares = np.bincount(train["label"]) / TRAIN
    np.testing.assert_allclose(state.params["class_weights"], shares, rtol=1e-5)
    # A second epoch counts everything twice, which changes shares and means by noise only.
    again = fit(Bayes(), batches + batches)
    np.testing.assert_allclose(again.params["class_weights"], shares, rtol=1e-5)
    np.testing.assert_allclose(again.params["means"], state.params["means"], atol=0.02)


def test_samples_are_of_the_class(digits):
    train, _ = digits
    model = Bayes(shrinkage=0.05, variance_floor=1e-3)
    state = fit(model, [train])
    sample = jax.jit(model.sample, static_argnums=2)
    images = sample(state, rngs_from_seed(0), 100)
    chex.assert_shape(images, (100, 8, 8, 1))
    chex.assert_type(images, np.uint8)
    assert images.max() <= 16
    read = np.asarray(model.classify(state, {"image": images}).argmax(1))
    assert (read == np.arange(100) % 10).mean() > 0.9
    sevens = sample(state, rngs_from_seed(0), 50, np.full(50, 7, np.int32))
    read = np.asarray(model.classify(state, {"image": sevens}).argmax(1))
    assert (read == 7).mean() > 0.9


def test_a_class_that_was_never_seen_is_like_all(digits):
    train, _ = digits
    some = {k: v[train["label"] != 4] for k, v in train.items()}
    for covariance in ("full", "diagonal", "tied"):
        state = fit(Bayes(covariance=covariance, variance_floor=1e-3), [some])
        chex.assert_tree_all_finite(state.params)
        np.testing.assert_allclose(state.params["means"][4, 0], seen(some).mean(0), atol=1e-5)
        assert 0 < state.params["class_weights"][4] < 1e-6


def test_impossible_values():
    for make, message in (
        (lambda: Bayes(variance_floor=0.0), "Bayes.variance_floor must be greater than 0"),
        (lambda: fresh(Bayes(), DataSpec((2, 2, 1))), "Bayes needs labels, and these data"),
    ):
        with pytest.raises(ConfigError, match=message):
            make()
