"""What a classifier reads from samples, with models whose samples are known."""

import dataclasses
import json
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

import gm_jax
from gm_jax import cli
from gm_jax.data import Data, Digits, Quantize
from gm_jax.errors import UserError
from gm_jax.evaluation.samples import label_figures
from gm_jax.experiment import Experiment, Training
from gm_jax.model import Family, create_state
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.optimizer import Optimizer
from gm_jax.run import Run
from gm_jax.training.sharding import DataMesh

DATA = Data(Digits(), train="train", valid=None, batch_size=16, limit=32)
TRAINING = Training(num_steps=1, sample_every=0)


@dataclasses.dataclass(frozen=True)
class Levels(Family):
    """Every pixel of a sample is the label asked for; every tenth sample is wrong, if asked to."""

    conditional: ClassVar[bool] = True
    wrong: bool = False

    def init(self, rngs, spec):
        return create_state(rngs, spec, {"w": jnp.zeros(())}, Optimizer())

    def update(self, state, batch, rngs):
        return state.replace(step=state.step + 1), {"loss": jnp.zeros(())}

    def evaluate(self, state, batch, rngs):
        return {"nothing": jnp.zeros(len(batch["image"]))}

    def sample(self, state, rngs, num, condition=None):
        label = jnp.asarray(condition)
        if self.wrong:
            label = jnp.where(label == 3, 4, label)
        return jnp.broadcast_to(label[:, None, None, None], (num, *state.spec.shape)).astype(
            jnp.uint8
        )


@dataclasses.dataclass(frozen=True)
class Unconditional(Levels):
    """Half of the samples are 2, half are 7."""

    conditional: ClassVar[bool] = False

    def sample(self, state, rngs, num, condition=None):
        assert condition is None
        half = jnp.where(jnp.arange(num) % 2, 2, 7)
        return jnp.broadcast_to(half[:, None, None, None], (num, *state.spec.shape)).astype(
            jnp.uint8
        )


@dataclasses.dataclass(frozen=True)
class MeanDigits(Levels):
    """A sample is the mean of all digits of the class asked for."""

    def sample(self, state, rngs, num, condition=None):
        images, labels = load_digits(return_X_y=True)
        means = np.stack([images[labels == k].mean(0) for k in range(10)]).round()
        return jnp.asarray(means, jnp.uint8).reshape(10, 8, 8, 1)[condition]


@dataclasses.dataclass(frozen=True)
class Reader(Levels):
    """Reads the level of the first pixel."""

    def classify(self, state, batch):
        return jax.nn.log_softmax(100.0 * jax.nn.one_hot(batch["image"][:, 0, 0, 0], 10))


def fit(model, folder, data=DATA):
    return gm_jax.fit(Experiment(data, model, TRAINING), folder)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return fit(Reader(), tmp_path_factory.mktemp("runs") / "reader")


def test_agreement_and_coverage(reader, tmp_path):
    figures = fit(Levels(), tmp_path / "right").evaluate_samples(reader, 1030)
    assert figures["label_agreement"].value == 1
    assert figures["label_agreement"].n == 1030
    assert figures["classes_covered"].value == 10
    figures = fit(Levels(wrong=True), tmp_path / "wrong").evaluate_samples(reader, 1000)
    assert figures["label_agreement"].value == 0.9
    np.testing.assert_allclose(figures["label_agreement"].stderr, np.sqrt(0.09 / 1000))
    assert figures["label_agreement/3"].value == 0
    assert figures["label_agreement/4"].value == 1
    assert figures["classes_covered"].value == 9


def test_how_surely_samples_are_read():
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.5, 0.5], [0.02, 0.98]])
    sure = label_figures(None, probabilities)["read_surely"]
    assert (sure.value, sure.n) == (0.5, 4)
    np.testing.assert_allclose(sure.stderr, 0.25)


def test_unconditional_samples_are_only_counted(reader, tmp_path):
    figures = fit(Unconditional(), tmp_path / "two").evaluate_samples(reader, 100)
    assert figures["classes_covered"].value == 2
    np.testing.assert_allclose(figures["class_kl"].value, np.log(5), rtol=1e-6)
    assert not any(name.startswith("label") for name in figures)


def test_the_command(reader, tmp_path, capsys):
    run = fit(Levels(), tmp_path / "right")
    command = ["evaluate", str(run.folder), "--classifier", str(reader.folder), "--num-images"]
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "20"])
    assert stop.value.code == 0
    assert "label_agreement/9" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main([*command, "20", "--json"])
    assert json.loads(capsys.readouterr().out)["classes_covered"]["value"] == 10


def test_what_cannot_be_read(reader, tmp_path):
    run = fit(Levels(), tmp_path / "right")
    with pytest.raises(UserError, match="at least 1"):
        run.evaluate_samples(reader, 0)
    with pytest.raises(UserError, match="Levels can't classify"):
        run.evaluate_samples(run)
    few = dataclasses.replace(DATA, transforms=(Quantize(4, 17),))
    with pytest.raises(UserError, match=r"8x8x1 with 17 levels, but .* 8x8x1 with 4 levels"):
        fit(Levels(), tmp_path / "few", few).evaluate_samples(reader)
    spec = dataclasses.replace(run.spec, num_classes=7)
    for model in (Levels(), Unconditional()):
        experiment = dataclasses.replace(run.experiment, model=model)
        seven = Run(run.folder, experiment, run.state.replace(spec=spec), DataMesh(16))
        with pytest.raises(UserError, match=r"knows 10 classes, but .* have 7"):
            seven.evaluate_samples(reader)
    with pytest.raises(UserError, match="Autoencoder can't sample"):
        fit(Autoencoder().quick(), tmp_path / "ae").evaluate_samples(reader)


def test_images_without_labels_are_read_too(reader, tmp_path):
    run = fit(Unconditional(), tmp_path / "two")
    spec = dataclasses.replace(run.spec, num_classes=None)
    unlabelled = Run(run.folder, run.experiment, run.state.replace(spec=spec), DataMesh(16))
    assert unlabelled.evaluate_samples(reader, 100) == run.evaluate_samples(reader, 100)


def test_fewer_samples_than_classes(reader, tmp_path):
    figures = fit(Levels(), tmp_path / "right").evaluate_samples(reader, 3)
    assert [n for n in figures if "/" in n] == [f"label_agreement/{k}" for k in range(3)]
    assert figures["label_agreement/2"].n == 1


@pytest.mark.slow
def test_a_trained_classifier_reads_mean_digits(tmp_path):
    experiment = gm_jax.load("digits/classifier").replace(**{"training.num-steps": 100})
    classifier = gm_jax.fit(experiment, tmp_path / "classifier")
    figures = fit(MeanDigits(), tmp_path / "means").evaluate_samples(classifier, 20)
    assert figures["label_agreement"].value == 1
    assert figures["classes_covered"].value == 10
    assert figures["class_kl"].value == 0
