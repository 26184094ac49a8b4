"""Runs made by earlier versions open, one for each kind of state.

Those in fixtures/earlier_runs/<commit> are two steps of `quick()` experiments, without pictures;
the sums of their values were taken by the version that made them.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import gm_jax
from gm_jax.data import (
    Data,
    MovingMnist,
    MovingMnistData,
    Sevir,
    SevirData,
    StormData,
    Storms,
    SyntheticStorms,
)
from gm_jax.earlier_runs import as_written_today
from gm_jax.errors import UserError
from gm_jax.experiment_file import load
from gm_jax.experiment_json import from_plain, to_plain

FOLDER = Path(__file__).parent / "fixtures" / "earlier_runs" / "b124472"

# Of all values of the state but its key and its step: how many, their sum, that of their sizes.
VALUES = {
    "digits/vae": (11930, 25.4358834746321, 792.5904117466571),
    "digits/gan": (9943, 103.56083464581057, 881.5408761974993),
    "digits/arm_cnn1d": (1494, 35.28348282313214, 280.4299562968086),
    "toy/realnvp": (306, 10.186408404185638, 36.86164856845451),
    "toy/ddpm": (4622, -6.565155799095561, 556.3404183711425),
    "toy/gmm": (21, 16.322564717382193, 33.83666765317321),
    "storms/cae_convlstm": (9650, 21.44108536287263, 439.149983241796),
}


@pytest.mark.parametrize("name", VALUES)
def test_an_earlier_run_opens(name):
    run = gm_jax.open(FOLDER / name)
    assert run.step == 2
    assert run.experiment.name == name
    state = run.state
    leaves = jax.tree.leaves((state.params, state.model_state, state.opt_state, state.ema_params))
    values = np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in leaves])
    count, total, size = VALUES[name]
    assert len(values) == count
    np.testing.assert_allclose([values.sum(), np.abs(values).sum()], [total, size], rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in VALUES if not name.startswith("storms/")])
def test_an_earlier_run_samples(name):
    run = gm_jax.open(FOLDER / name)
    images = run.sample(3)
    assert images.shape == (3, *run.spec.shape)
    assert np.isfinite(images).all()


def test_an_earlier_run_forecasts():
    run = gm_jax.open(FOLDER / "storms" / "cae_convlstm")
    extras = {e.name: np.zeros((1, *e.shape), e.dtype) for e in run.spec.extras}
    extras["context_time"] += np.arange(1 - extras["context_time"].shape[1], 1) * 600.0
    frames = run.forecast(extras, [600.0, 1200.0])
    assert frames.shape == (1, 2, *run.spec.shape[-3:])
    assert run.experiment.model.head == "blend"  # as its warp: true was


@pytest.mark.parametrize(("warp", "head"), [(True, "blend"), (False, "frame")])
@pytest.mark.parametrize("name", ["ConvLSTM", "UNetAttention"])
def test_warp_was_a_yes_or_no(name, warp, head):
    plain = {"class": f"gm_jax.models:{name}", "warp": warp, "width": 3}
    today = as_written_today(plain)
    assert today == {
        "class": plain["class"],
        "head": head,
        "width": 3,
        "flow_steps": 1,
        "initializer": "lecun_normal",
    }


def test_an_earlier_run_is_resumed_and_writes_names_of_today(tmp_path):
    shutil.copytree(FOLDER / "digits" / "vae", tmp_path / "run")
    experiment = load("digits/vae").quick().replace(**{"training.num_steps": 3})
    assert gm_jax.fit(experiment, tmp_path / "run").step == 3
    record = json.loads((tmp_path / "run" / "experiment.json").read_text())
    assert record["experiment"]["model"]["class"] == "gm_jax.models:VAE"
    assert record["spec"]["class"] == "gm_jax.data:DataSpec"
    assert record["numerics"] == experiment.model.numerics
    assert "code" not in record  # all classes are ours


def test_a_run_of_other_updates_opens_but_is_not_resumed(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(FOLDER / "digits" / "vae", folder)
    experiment = load("digits/vae").quick().replace(**{"training.num_steps": 3})
    monkeypatch.setattr(type(experiment.model), "numerics", 2)
    with pytest.raises(UserError, match="version 1 of the updates of VAE, and this is version 2"):
        gm_jax.fit(experiment, folder)
    run = gm_jax.open(folder)
    assert run.step == 2
    assert run.sample(2).shape == (2, 8, 8, 1)


@pytest.mark.parametrize(
    ("name", "source", "today"),
    [
        (
            "storms/cae_convlstm",
            SyntheticStorms(size=48, context=3, num_train=7),
            StormData(size=48, context=3, synthetic=SyntheticStorms(num_train=7), batch_size=16),
        ),
        ("storms/unet_attention:reference", SyntheticStorms(), StormData(batch_size=16)),
        (
            "moving_mnist/convlstm",
            MovingMnist(targets=5, size=70),
            MovingMnistData(targets=5, made=MovingMnist(size=70), batch_size=16),
        ),
        (
            "sevir/unet_attention",
            Sevir("mine", size=96, stride=3),
            SevirData("mine", size=96, stride=3, batch_size=16),
        ),
        ("own/storms", SyntheticStorms(), None),
        ("storms/cae_convlstm", Storms("mine"), None),
    ],
)
def test_data_that_were_a_source_are_read_as_what_they_are_today(name, source, today):
    data = Data(source=source, train="train", valid="validation", test="test", batch_size=16)
    experiment = load("storms/cae_convlstm").replace(data=data)
    experiment = dataclasses.replace(experiment, name=name)
    read = from_plain(to_plain(experiment))
    assert read.data == (today or data)
    assert read.data.source == source
