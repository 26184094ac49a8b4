"""Figures of samples at validations: they join the record, can be monitored, and are resumed."""

import dataclasses
import json
from typing import ClassVar

import jax.numpy as jnp
import pytest

import gm_jax
from gm_jax.data import Data, Digits
from gm_jax.errors import ConfigError, UserError
from gm_jax.evaluation.random_features import RandomFeatures
from gm_jax.experiment import Experiment, Training
from gm_jax.metrics.kernel_distance import kid
from gm_jax.model import Family, create_state
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer
from gm_jax.training.checkpoint import Checkpoints
from gm_jax.training.folder import RunFolder

DATA = Data(Digits(), train="train[:100]", valid="train[100:180]", batch_size=20)


@dataclasses.dataclass(frozen=True)
class Fading(Family):
    """Draws images of the training set, the darker the further the step is from 2."""

    conditional: ClassVar[bool] = True

    def init(self, rngs, spec):
        return create_state(rngs, spec, {"w": jnp.zeros(())}, Optimizer())

    def update(self, state, batch, rngs):
        return state.replace(step=state.step + 1), {"loss": jnp.zeros(())}

    def evaluate(self, state, batch, rngs):
        return {"loss": -state.step * jnp.ones(len(batch["image"]))}

    def sample(self, state, rngs, num, condition=None):
        arrays = DATA.open("train").arrays
        order = jnp.argsort(jnp.asarray(arrays["label"]), stable=True)
        images = jnp.asarray(arrays["image"])[order]
        place = jnp.searchsorted(jnp.asarray(arrays["label"])[order], condition)
        away = jnp.abs(state.step - 2)
        return (images[place] // (1 + 3 * away)).astype(jnp.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def experiment(num_steps=4, model=None, **training):
    settings = {"log_every": 1, "eval_every": 1, "sample_every": 0, "samples_for_metrics": 60}
    settings |= training
    return Experiment(DATA, model or Fading(), Training(num_steps=num_steps, **settings))


def valid_lines(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    wanted = [line for line in lines if line["phase"] == "valid"]
    return [{k: v for k, v in line.items() if k != "time"} for line in wanted]


def test_kid_joins_the_record_and_can_be_monitored(tmp_path):
    run = gm_jax.fit(experiment(monitor="kid"), tmp_path / "run")
    lines = valid_lines(run.folder)
    kids = [line["kid"] for line in lines]
    assert min(range(4), key=kids.__getitem__) == 1  # at step 2
    assert Checkpoints(RunFolder(run.folder).checkpoints).best() == 2
    assert "label_agreement" not in lines[0]
    known = RandomFeatures(run.spec)
    labels = DATA.open("valid").arrays["label"]
    images = run.sample(60, condition=labels[:60])
    held = known(DATA.open("valid").arrays["image"]).features
    # The same state; other labels in another order.
    assert kids[-1] == pytest.approx(kid(known(images).features, held).value, rel=0.5)


@pytest.mark.slow
def test_a_resumed_record_is_a_straight_one(tmp_path):
    gm_jax.fit(experiment(), tmp_path / "straight")
    gm_jax.fit(experiment(2), tmp_path / "parts")
    gm_jax.fit(experiment(4), tmp_path / "parts")
    assert valid_lines(tmp_path / "parts") == valid_lines(tmp_path / "straight")
    gm_jax.fit(experiment(5, samples_for_metrics=0), tmp_path / "parts")  # may change
    assert "kid" not in valid_lines(tmp_path / "parts")[-1]


def test_a_classifier_reads_them(tmp_path):
    model = Classifier(features=(4,), dense=8, optimizer=Optimizer(learning_rate=3e-3))
    training = Training(num_steps=2, sample_every=0)
    reader = gm_jax.fit(Experiment(DATA, model, training), tmp_path / "reader")
    told = {"metrics_classifier": str(reader.folder)}
    wanted = experiment(2, monitor="label_agreement", monitor_mode="max", **told)
    run = gm_jax.fit(wanted, tmp_path / "run")
    for line in valid_lines(run.folder):
        assert 0 <= line["label_agreement"] <= 1
        assert 1 <= line["classes_covered"] <= 10
    with pytest.raises(UserError, match=r"label_agreement, which is better when large, .* min"):
        gm_jax.fit(experiment(2, monitor="label_agreement", **told), tmp_path / "other")
    with pytest.raises(UserError, match="metrics_classifier: Fading can't classify"):
        gm_jax.fit(experiment(metrics_classifier=str(run.folder)), tmp_path / "other")
    with pytest.raises(UserError, match="metrics_classifier: there is no run"):
        gm_jax.fit(experiment(metrics_classifier=str(tmp_path / "no")), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_looked_at(tmp_path):
    with pytest.raises(UserError, match="reports kid, loss"):
        gm_jax.fit(experiment(monitor="fid"), tmp_path / "run")
    with pytest.raises(UserError, match=r"needs training.eval_every above 0"):
        gm_jax.fit(experiment(eval_every=0), tmp_path / "run")
    no_valid = dataclasses.replace(DATA, valid=None)
    with pytest.raises(UserError, match="needs a validation split"):
        gm_jax.fit(dataclasses.replace(experiment(), data=no_valid), tmp_path / "run")
    with pytest.raises(UserError, match="Autoencoder can't sample"):
        gm_jax.fit(experiment(model=Autoencoder().quick()), tmp_path / "run")
    with pytest.raises(ConfigError, match="must be 0, or 10 or more, not 5"):
        Training(samples_for_metrics=5)
    with pytest.raises(ConfigError, match="give samples_for_metrics too"):
        Training(metrics_classifier="runs/reader")
