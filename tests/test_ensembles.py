"""Several runs as one forecast with a spread; wanted times that training did not ask for."""

import dataclasses
import json

import chex
import jax
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax import cli
from gm_jax.cli import asked
from gm_jax.data import Data, SyntheticStorms
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.rng import rngs_from_seed
from gm_jax.run import Run
from gm_jax.training.sharding import DataMesh

SOURCE = SyntheticStorms(size=12, context=3, targets=2, num_train=4, num_validation=4, num_test=5)


def untrained(folder, seed, source=SOURCE):
    """A run of a tiny model that has learned nothing; for frames anew, so that seeds differ."""
    model = ConvLSTM(widths=(4, 4), hidden=(4,), embedding_dim=4, loss=ForecastLoss(l1=1.0))
    data = Data(source=source, train="train", valid="validation", test="test", batch_size=4)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(seed), data.spec)
    # What starts as zeros starts as noise, so that runs differ and look at the times.
    noise = np.random.default_rng(seed)
    params = jax.tree.map(lambda p: p + np.float32(0.1 * noise.normal(size=p.shape)), state.params)
    state = dataclasses.replace(state, params=params)
    folder.mkdir()
    return Run(folder, Experiment(data=data, model=model), state, DataMesh(1))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [untrained(folder / f"seed-{seed}", seed) for seed in (0, 1)]


@pytest.fixture
def type_(runs, monkeypatch):
    """Gives a command whose runs a and b are those of the fixture."""
    named = dict(zip("ab", runs, strict=True))
    monkeypatch.setattr(asked, "open_run", lambda folder, *more: named[str(folder)])
    return lambda command: cli.dispatch(command.split())


def test_figures_of_the_mean_and_of_the_spread(runs):
    """Against NumPy: MSE of the mean, CRPS and the ratio of spread and error by lead time."""
    ensemble = gm_jax.Ensemble(runs)
    batch = runs[0].batch(5)
    found = ensemble.forecast(batch, batch["time"])
    chex.assert_shape(found.members, (2, 5, 2, 12, 12, 1))
    a, b = found.members.astype(float)
    np.testing.assert_allclose(found.mean, (a + b) / 2)
    np.testing.assert_allclose(found.spread, np.abs(a - b) / np.sqrt(2), rtol=1e-5, atol=1e-5)
    assert found.spread.max() > 1

    result = ensemble.evaluate_lead_times()
    assert [*result.figures] == ["ensemble", "member 1", "member 2", "persistence", "extrapolation"]
    values, axes = result.values(), (0, 2, 3, 4)
    a, b, came = a / 255, b / 255, batch["image"] / 255
    error = (((a + b) / 2 - came) ** 2).mean(axes)
    np.testing.assert_allclose(values["ensemble"]["mse"], error, rtol=1e-4)
    score = (np.abs(a - came) + np.abs(b - came) - np.abs(a - b)) / 2
    np.testing.assert_allclose(values["ensemble"]["crps"], score.mean(axes), rtol=1e-4)
    spread = np.sqrt(3 / 2 * ((a - b) ** 2 / 2).mean(axes) / error)
    np.testing.assert_allclose(values["ensemble"]["spread_skill"], spread, rtol=1e-4)
    for name in ("member 2", "persistence"):
        assert values[name]["crps"] == pytest.approx(values[name]["mae"], rel=1e-5)
        assert "spread_skill" not in values[name]
    assert "this ensemble" in result.recommendation
    # One run's own figures are those of the member.
    alone = runs[1].evaluate_lead_times().values()["model"]
    np.testing.assert_allclose(alone["mse"], values["member 2"]["mse"], rtol=1e-5)
    assert "crps" not in alone


def test_the_command_writes_the_mean_the_spread_and_the_members(runs, type_, tmp_path, capsys):
    type_(f"forecast a b --num 1 --times +30min --out {tmp_path}")
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("test_00000_ensemble_of_2_")
    frames = [f"{name}_0001800s.png" for name in ("frame", "member_1", "member_2", "spread")]
    others = ["ensemble.npz", "forecast.gif", "strip.png"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(frames + others)
    with np.load(folder / "ensemble.npz") as file:
        mean, spread, members = (file[n] for n in ("mean", "spread", "members"))
        assert [*file["names"]] == [str(run.folder) for run in runs]
        assert file["times"] == [1800]
    np.testing.assert_allclose(mean, members.mean(0))
    with Image.open(folder / frames[-1]) as picture:
        white = np.asarray(picture)
    np.testing.assert_allclose(white, 255 * spread[0, ..., 0] / spread.max(), atol=0.51)
    said = capsys.readouterr().out
    assert "1 frames at +30 min · mean, spread and members" in said
    assert f"member 2  {runs[1].folder}" in said
    type_(f"forecast a b --num 1 --times +30min --out {tmp_path}")  # is replaced


def test_the_command_evaluates_an_ensemble_at_other_times(runs, type_, capsys):
    type_("evaluate a b --other-times")
    said = capsys.readouterr().out
    for text in ("crps", "spread / error", "at half the distance", "at twice the distance"):
        assert text in said
    assert "told the times of other frames, the ensemble has MSE" in said
    assert len([*runs[0].folder.glob("spectra_test_ensemble_of_2_*.png")]) == 1
    assert len([*runs[0].folder.glob("lead_times_test_ensemble_of_2_*.png")]) == 1
    type_("evaluate a --other-times --json")
    read = json.loads(capsys.readouterr().out)
    assert [*read["other_times"]] == ["half", "double", "shuffled"]
    own, half = read["lead_times"], read["other_times"]["half"]
    np.testing.assert_allclose(half["seconds"], np.array(own["seconds"]) / 2, rtol=1e-6)
    there = runs[0].evaluate_lead_times("test_half").values()
    np.testing.assert_allclose(half["model"]["mse"], there["model"]["mse"], rtol=1e-5)
    assert np.shape(own["spectra"]["truth"]) == (2, 9)


def test_shuffled_times_mislead_what_looks_at_them(runs):
    found = runs[0].evaluate_other_times("test[:4]")
    assert [*found] == ["half", "double", "shuffled"]
    own, told = runs[0].evaluate_lead_times("test[:4]").values(), found["shuffled"].values()
    assert told["persistence"]["mse"] == own["persistence"]["mse"]
    assert told["extrapolation"]["mse"] != own["extrapolation"]["mse"]
    assert told["model"]["mse"] != own["model"]["mse"]
    assert found["shuffled"].seconds == runs[0].evaluate_lead_times("test[:4]").seconds
    assert [*runs[0].evaluate_other_times("validation")] == ["shuffled"]


def test_what_makes_no_ensemble(runs, type_, tmp_path):
    with pytest.raises(UserError, match="two runs or more, not of 1"):
        gm_jax.Ensemble(runs[:1])
    with pytest.raises(UserError, match=r"seed-0 is there twice"):
        type_("forecast a a")
    with pytest.raises(UserError, match=r"--num-samples 5 is for one run"):
        type_("evaluate a b --num-samples 5")
    wrong = {
        "size": (dataclasses.replace(SOURCE, size=16), "3 known frames of 16x16x1"),
        "context": (dataclasses.replace(SOURCE, context=4), "4 known frames of 12x12x1"),
    }
    for name, (source, says) in wrong.items():
        other = untrained(tmp_path / name, 2, source)
        with pytest.raises(UserError, match=f"{name} forecasts from {says}.* but .*seed-0 from 3"):
            gm_jax.Ensemble([runs[0], other])
    levels = dataclasses.replace(runs[1].spec, num_levels=16)
    few = Run(tmp_path, runs[1].experiment, dataclasses.replace(runs[1].state, spec=levels), None)
    with pytest.raises(UserError, match=r"with 16 levels, but .* with 256 levels"):
        gm_jax.Ensemble([runs[0], few])
    images = Run(tmp_path, Experiment(data=Data(), model=Autoencoder()), few.state, None)
    with pytest.raises(UserError, match="Autoencoder can't forecast"):
        gm_jax.Ensemble([runs[0], images])


def test_windows_of_one_storm_are_a_group():
    source = dataclasses.replace(SOURCE, windows=3, num_test=2)
    np.testing.assert_array_equal(
        Data(source=source, test="test").open("test[1:]").groups - source.open("test").groups()[0],
        [0, 0, 1, 1, 1],
    )
    both = source.open("test+test_half").groups()
    np.testing.assert_array_equal(both[:6], both[6:])
    other = source.open("train").groups()
    assert not set(other) & set(both)
