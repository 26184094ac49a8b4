"""Figures of sets of samples, with models whose samples are known, in features of two kinds."""

import dataclasses
import json
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax import cli
from gm_jax.data import Data, Digits
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.evaluation.features import ClassifierFeatures, parameters_digest
from gm_jax.evaluation.measured import read_measured
from gm_jax.evaluation.random_features import RandomFeatures
from gm_jax.evaluation.reference import embedded, reference
from gm_jax.experiment import Experiment, Training
from gm_jax.metrics.frechet import fid
from gm_jax.metrics.kernel_distance import kid
from gm_jax.model import Family, create_state
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer

DATA = Data(Digits(), train="train[:300]", valid=None, test="test", batch_size=50)
TRAINING = Training(num_steps=1, sample_every=0)
SPEC = DataSpec((8, 8, 1), num_levels=17, num_classes=10)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gm_jax" / "data" / "features"


@dataclasses.dataclass(frozen=True)
class Drawer(Family):
    """Draws the images of a split in turn; noise, if asked to."""

    conditional: ClassVar[bool] = False
    split: str = "train[300:500]"
    noise: bool = False

    def init(self, rngs, spec):
        return create_state(rngs, spec, {"w": jnp.zeros(())}, Optimizer())

    def update(self, state, batch, rngs):
        return state.replace(step=state.step + 1), {"loss": jnp.zeros(())}

    def evaluate(self, state, batch, rngs):
        return {"nothing": jnp.zeros(len(batch["image"]))}

    def sample(self, state, rngs, num, condition=None):
        images = jnp.asarray(DATA.open(self.split).arrays["image"])
        noise = jax.random.randint(rngs("noise"), (num, 8, 8, 1), 0, 17).astype(jnp.uint8)
        return noise if self.noise else images[jnp.arange(num) % len(images)]


@dataclasses.dataclass(frozen=True)
class Labelled(Drawer):
    """A sample is the level of its label."""

    conditional: ClassVar[bool] = True

    def sample(self, state, rngs, num, condition=None):
        return jnp.broadcast_to(condition[:, None, None, None], (num, 8, 8, 1)).astype(jnp.uint8)


def fit(model, folder, data=DATA):
    return gm_jax.fit(Experiment(data, model, TRAINING), folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    model = Classifier(features=(8,), dense=24, optimizer=Optimizer(learning_rate=3e-3))
    training = Training(num_steps=60, sample_every=0)
    folder = tmp_path_factory.mktemp("runs") / "classifier"
    return gm_jax.fit(Experiment(DATA, model, training, name="digits/reader"), folder)


@pytest.fixture
def features(classifier):
    return ClassifierFeatures(classifier.model, classifier.state, "digits/reader", SPEC)


def test_the_hidden_layer_is_what_the_classes_are_read_from(classifier, features):
    images = classifier.batch(70)["image"]
    found = features(images)
    chex.assert_shape(found.features, (70, features.dim))
    last = classifier.state.params["Dense_1"]
    logits = found.features @ np.asarray(last["kernel"]) + np.asarray(last["bias"])
    np.testing.assert_allclose(found.probabilities, jax.nn.softmax(logits), atol=1e-5)
    log_probs = classifier.model.classify(classifier.state, {"image": images})
    np.testing.assert_allclose(found.probabilities, np.exp(log_probs), atol=1e-5)


def test_features_do_not_depend_on_their_company(classifier, features):
    images = classifier.batch(600)["image"]
    for known in (features, RandomFeatures(SPEC)):
        whole = known(images).features
        chex.assert_shape(whole, (len(images), known.dim))
        np.testing.assert_allclose(known(images[5:8]).features, whole[5:8], rtol=1e-5, atol=1e-5)


def test_names_tell_parameters_apart(classifier, features):
    assert features.name == f"digits/reader-{parameters_digest(classifier.state.params)}"
    assert len(features.name.rpartition("-")[2]) == 8
    other = jax.tree.map(lambda v: v + 1e-6, classifier.state.params)
    assert parameters_digest(other) != parameters_digest(classifier.state.params)
    assert RandomFeatures(SPEC).name == RandomFeatures(SPEC).name != RandomFeatures(SPEC, 1).name


def test_features_of_a_split_are_computed_once(features, cache, monkeypatch):
    calls = []

    class Counting:
        name, dim, reads_labels = features.name, features.dim, True

        def __call__(self, images):
            calls.append(len(images))
            return features(images)

    first = reference(DATA.open("test"), Counting(), 100)
    again = reference(DATA.open("test"), Counting(), 100)
    assert calls == [100]
    chex.assert_trees_all_equal(first, again)
    other = reference(DATA.open("test"), Counting(), 101)
    assert calls == [100, 101]
    assert len(other.images) == 101
    embedded(RandomFeatures(SPEC), SPEC, first.images)  # of another name
    files = sorted(cache.iterdir())
    assert len(files) == 3
    for path in files:
        path.write_bytes(path.read_bytes()[:200])  # damaged: computed anew
    chex.assert_trees_all_equal(reference(DATA.open("test"), Counting(), 100), first)
    assert calls == [100, 101, 100]
    monkeypatch.setattr("gm_jax.data.store.kept.is_writable", lambda folder: False)
    reference(DATA.open("test"), Counting(), 99)
    reference(DATA.open("test"), Counting(), 99)
    assert calls == [100, 101, 100, 99, 99]


def test_figures_are_those_of_the_metrics(features, classifier, tmp_path):
    run = fit(Drawer(), tmp_path / "some")
    quality = run.sample_quality(classifier, num=200)
    images = run.sample(200)
    held = features(DATA.open("test").arrays["image"]).features
    drawn = features(images)
    figures = quality.figures
    assert figures["fid"].value == pytest.approx(fid(drawn.features, held), rel=1e-6)
    assert figures["kid"].value == pytest.approx(kid(drawn.features, held).value, rel=1e-6)
    assert figures["fid"].n == figures["precision"].n == 200
    read = drawn.probabilities.argmax(1)
    held_classes = (np.bincount(read, minlength=10) >= 2).sum()
    assert figures["classes_covered"].value == held_classes
    assert not any(name.startswith("label") for name in figures)
    assert quality.measured.features == features.name
    assert quality.shown.shape == (12, 8, 8, 1)
    assert quality.beside.shape == (12, 4, 8, 8, 1)
    assert quality.picture(17).dtype == np.uint8


@pytest.mark.slow
def test_copies_noise_and_repetitions_are_told_apart(tmp_path):
    models = {
        "copies": Drawer("train"),
        "fresh": Drawer(),
        "noise": Drawer(noise=True),
        "few": Drawer("train[300:310]"),
    }
    copies, fresh, noise, few = (
        fit(model, tmp_path / name).sample_quality(num=150).figures
        for name, model in models.items()
    )
    assert copies["memorization"].value == 1
    assert fresh["memorization"].value < 0.05
    assert fresh["memorization_floor"] == copies["memorization_floor"]
    assert noise["fid"].value > 10 * fresh["fid"].value
    assert noise["precision"].value < 0.1 < 0.6 < fresh["precision"].value
    assert fresh["duplicates"].value == 0
    assert few["duplicates"].value == 1 - 10 / 150
    assert few["coverage"].value < fresh["coverage"].value - 0.3
    assert "inception_score" not in fresh
    assert fresh["fid_floor"] == noise["fid_floor"]


def test_labels_are_asked_for_in_the_shares_of_the_data(classifier, tmp_path):
    run = fit(Labelled(), tmp_path / "labelled")
    quality = run.sample_quality(classifier, num=100)
    labels = np.random.default_rng(0).choice(DATA.open("train").arrays["label"], 100)
    asked = {k: f.n for k, f in quality.figures.items() if k.startswith("label_agreement/")}
    shares = {f"label_agreement/{k}": n for k, n in enumerate(np.bincount(labels)) if n}
    assert asked == shares
    again = run.sample_quality(classifier, num=100).figures
    assert again == quality.figures


def test_the_command_keeps_figures_and_a_picture(classifier, features, tmp_path, capsys):
    run = fit(Drawer(), tmp_path / "run")
    command = ["evaluate", str(run.folder), "--num-images", "60", "--features"]
    assert cli.dispatch([*command, str(classifier.folder)]) == 0
    told = capsys.readouterr().out
    assert f"60 beside test, in features {features.name}" in told
    assert "FID∞" in told
    kept = read_measured(run.folder)
    assert [(m.features, m.num, m.step, m.split) for m in kept] == [(features.name, 60, 1, "test")]
    assert (run.folder / "samples" / f"nearest_{features.name.replace('/', '_')}.png").exists()
    assert cli.dispatch([*command, "random", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["quality"]["features"] == RandomFeatures(SPEC).name
    assert {"fid", "kid", "memorization"} < set(told["quality"]["figures"])
    assert len(read_measured(run.folder)) == 2


def test_figures_of_weights_in_a_file_are_told_and_nothing_is_kept(tmp_path, capsys):
    experiment = gm_jax.load("digits/bayes").quick().replace(**{"data.limit": 100})
    file = tmp_path / "model.safetensors"
    gm_jax.fit(experiment, tmp_path / "run").export(file)
    command = ["evaluate", str(file), "--num-images", "60", "--features", "random"]
    assert cli.dispatch(command) == 0
    assert "none are kept" in capsys.readouterr().out
    assert cli.dispatch([*command, "--json"]) == 0
    assert "fid" in json.loads(capsys.readouterr().out)["quality"]["figures"]


def test_what_has_no_quality(classifier, tmp_path):
    run = fit(Drawer(), tmp_path / "run")
    with pytest.raises(UserError, match="50 or more samples, not 10"):
        run.sample_quality(num=10)
    with pytest.raises(UserError, match="Classifier can't sample"):
        classifier.sample_quality()
    with pytest.raises(UserError, match=r"the classifier .*run: Drawer can't classify"):
        run.sample_quality(run)
    with pytest.raises(UserError, match="has 20 images, and samples are held against 50 or more"):
        run.sample_quality(num=50, split="test[:20]")
    with pytest.raises(UserError, match="these data are points"):
        RandomFeatures(dataclasses.replace(SPEC, continuous=True))
