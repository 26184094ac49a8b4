"""`gm-jax forecast`, and figures by lead time."""

import dataclasses
import json
import math

import h5py
import jax
import numpy as np
import pytest
from PIL import Image

from gm_jax import cli
from gm_jax.cli import asked
from gm_jax.cli.forecast import times_in_a_name, write_forecast
from gm_jax.cli.questions import Question, parse_times, question_of_folder, questions_of_split
from gm_jax.data import Data, Extra, Sevir, SevirData, StormData, Storms, SyntheticStorms
from gm_jax.data.sequences.sevir_writer import write_synthetic_sevir
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.forecasts import LeadTimes
from gm_jax.experiment import Experiment
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.rng import rngs_from_seed
from gm_jax.run import Run
from gm_jax.training.sharding import DataMesh
from gm_jax.viz.lead_times import plot_lead_times

SOURCE = SyntheticStorms(
    size=12, context=3, targets=2, num_train=4, num_validation=4, num_test=5, noise=0
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a tiny model that has learned nothing, and is not quite persistence."""
    loss = ForecastLoss(l1=1.0)
    model = ConvLSTM(widths=(4, 4), hidden=(4,), embedding_dim=4, loss=loss, head="blend")
    data = Data(source=SOURCE, train="train", valid="validation", test="test", batch_size=4)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), data.spec)
    folder = tmp_path_factory.mktemp("run")
    return Run(folder, Experiment(data=data, model=model), state, DataMesh(1))


def write_storm(folder, storm, times, size=(14, 14), wind=None):
    """Grey frames of one storm; a frame's level is a tenth of its time."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, time in enumerate(times):
        name = folder / f"{storm}_{i:03d}"
        Image.fromarray(np.full(size, time / 10, np.uint8)).save(f"{name}.jpg", quality=95)
        features = {"storm_id": storm, "relative_time": str(time), "ocean": "1"}
        (folder / f"{storm}_{i:03d}_features.json").write_text(json.dumps(features))
        if wind is not None:
            label = json.dumps({"wind_speed": wind})
            (folder / f"{storm}_{i:03d}_label.json").write_text(label)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3600,5400,9000", [3600, 5400, 9000]),
        ("+30min, +1h,1.5 h", [1800, 3600, 5400]),
        ("0.5s", [0.5]),
    ],
)
def test_times_in_seconds_minutes_and_hours(text, seconds):
    times = parse_times(text)
    assert times.dtype == np.float32
    np.testing.assert_array_equal(times, np.float32(seconds))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soon", "'soon' is no time"),
        ("", "'' is no time"),
        ("3600,", "'' is no time"),
        ("-5", "'-5' is no time"),
        ("1d", "'1d' is no time"),
        ("0", "0 s is not after the last known frame"),
        ("2h,1h", "3600 s comes after 7200 s"),
        ("1h,60min", "3600 s comes after 3600 s"),
    ],
)
def test_times_that_make_no_sense(text, message):
    with pytest.raises(UserError, match=message) as error:
        parse_times(text)
    assert "\n" not in str(error.value)


def test_baselines_by_lead_time(run, tmp_path):
    """Persistence against a NumPy loop; the model has its own figures."""
    result = run.evaluate_lead_times()
    batch = run.batch(5, "test")
    assert list(result.figures) == ["model", "persistence", "extrapolation"]
    np.testing.assert_allclose(result.seconds, batch["time"].mean(0), rtol=1e-6)
    for i, figure in enumerate(result.figures["persistence"]["mse"]):
        errors = [
            np.mean((last[-1].astype(float) - frames[i]) ** 2) / 255**2
            for last, frames in zip(batch["context"], batch["image"], strict=True)
        ]
        np.testing.assert_allclose(figure.value, np.mean(errors), rtol=1e-5)
        assert (figure.n, figure.kind) == (5, "error")
    drawn = run.forecast(batch, batch["time"]).astype(float)
    error = ((drawn - batch["image"]) ** 2).mean((0, 2, 3, 4)) / 255**2
    measured = [f.value for f in result.figures["model"]["mse"]]
    np.testing.assert_allclose(measured, error, rtol=1e-5)
    lines = result.table()
    assert len(lines) == 5 * (1 + 3) + 3
    assert lines[0].startswith("mse")
    # Standard errors are paired: of differences of one example's errors.
    paired = result.against["persistence"]
    still = result.errors["persistence"]
    own = ((drawn - batch["image"]) ** 2).mean((2, 3, 4)) / 255**2
    np.testing.assert_allclose(result.errors["model"], own, rtol=1e-5)
    stderr = (own - still).std(0, ddof=1) / math.sqrt(5)
    np.testing.assert_allclose([f.stderr for f in paired.difference], stderr, rtol=1e-4)
    ratio = own[:, 1].mean() / still[:, 1].mean()
    np.testing.assert_allclose(paired.ratio[1].value, ratio, rtol=1e-5)
    assert result.recommendation.count("this model") == 1
    assert set(result.spectra) == {"truth", *result.figures}
    fine = result.spectra["persistence"][:, 5:7].sum(1) / result.spectra["truth"][:, 5:7].sum(1)
    sharp = [f.value for f in result.figures["persistence"]["sharpness"]]
    np.testing.assert_allclose(sharp, fine, rtol=1e-5)
    assert "min" in lines[0]
    plot_lead_times(result.seconds, result.values(), tmp_path / "lead.png")
    with Image.open(tmp_path / "lead.png") as picture:
        assert picture.size[0] > 500


def test_rain_is_counted_at_thresholds(tmp_path):
    """Persistence of vil against a loop over lead times and thresholds."""
    write_synthetic_sevir(tmp_path / "sevir", num_events=6, size=16, num_frames=4)
    source = Sevir(tmp_path / "sevir", task="forecast", context=2, targets=2)
    model = UNetAttention(width=4, depth=1, attention_levels=0, embedding_dim=4)
    data = Data(source=source, train="all", valid=None, test="all", batch_size=4)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), data.spec)
    rain = Run(tmp_path, Experiment(data=data, model=model), state, DataMesh(1))
    result = rain.evaluate_lead_times("all")
    batch = rain.batch(6, "all")
    for threshold in (16, 74, 133, 160, 181, 219):
        for i, figure in enumerate(result.figures["persistence"][f"csi_{threshold}"]):
            forecast, came = batch["context"][:, -1] >= threshold, batch["image"][:, i] >= threshold
            both, either = (forecast & came).sum(), (forecast | came).sum()
            np.testing.assert_allclose(figure.value, both / either if either else np.nan)
            assert (figure.n, figure.kind) == (6, "estimate")
    assert (batch["image"] != 255).all()
    assert 0 < result.figures["persistence"]["csi_16"][0].value < 1
    assert 0 < result.figures["persistence"]["csi_16"][0].stderr < 0.2
    assert len(result.table()) == 11 * (1 + 3) + 3
    assert result.plain()["persistence"]["mse"][0] > 0
    plot_lead_times(result.seconds, result.values(), tmp_path / "lead.png")
    with Image.open(tmp_path / "lead.png") as picture:
        assert picture.size[1] > 500


def test_the_truth_at_any_time_is_the_sources(run):
    asked = questions_of_split(run, np.float32([600, 5000, 9000]), "test", 2)
    assert [q.name for q in asked] == ["test_00000", "test_00004"]
    truth = SOURCE.truth("test", [0, 4], [600, 5000, 9000])
    for question, came in zip(asked, truth, strict=True):
        np.testing.assert_array_equal(question.came, came)
    own = questions_of_split(run, None, "test", 2)
    np.testing.assert_array_equal(own[1].came, run.batch(2, "test")["image"][1])
    # At its own times both are the same.
    at_own = questions_of_split(run, own[0].times, "test", 1)[0]
    np.testing.assert_array_equal(at_own.came, own[0].came)


def test_a_folder_of_frames(run, tmp_path):
    write_storm(tmp_path / "s", "ana", [0, 600, 1000, 1500, 2100])
    last = question_of_folder(run, np.float32([60]), tmp_path / "s", None, None)
    np.testing.assert_allclose(last.context_time, [-1100, -600, 0])
    np.testing.assert_allclose(last.context.mean((1, 2, 3)), [100, 150, 210], atol=1)
    assert last.came is None
    assert last.context.shape == (3, 12, 12, 1)

    middle = question_of_folder(run, None, tmp_path / "s", None, 1200)
    np.testing.assert_allclose(middle.context_time, [-1000, -400, 0])
    np.testing.assert_allclose(middle.times, [500, 1100])
    np.testing.assert_allclose(middle.came.mean((1, 2, 3)), [150, 210], atol=1)
    some = question_of_folder(run, np.float32([500, 1099]), tmp_path / "s", None, 1200)
    assert some.came is None  # no frame at the second time

    write_storm(tmp_path / "s", "bea", [0, 100, 200])
    chosen = question_of_folder(run, np.float32([60]), tmp_path / "s", "bea", None)
    assert chosen.name == "bea_000200s"


def test_frames_of_a_folder_are_cut_as_the_runs_own(run, tmp_path):
    """A run of storms keeps their middle; only the storm that is asked for is read."""
    folder = tmp_path / "s"
    write_storm(folder, "ana", [0, 600, 1000, 1500, 2100])
    for path in folder.glob("*.jpg"):  # a bright border, which is to be left out
        with Image.open(path) as file:
            pixels = np.asarray(file).copy()
        framed = np.full((20, 24), 255, np.uint8)
        framed[3:17, 5:19] = pixels
        Image.fromarray(framed).save(path, quality=95)
    source = Storms(folder, context=3, targets=2, size=12, crop=14)
    data = Data(source=source, train="all", valid=None, test="all")
    own = Run(run.folder, Experiment(data=data, model=run.model), run.state, DataMesh(1))
    write_storm(folder, "bea", [0, 100, 200])
    (folder / "bea_000.jpg").write_bytes(b"no image")
    asked = question_of_folder(own, None, folder, "ana", 1000)
    np.testing.assert_allclose(asked.context.mean((1, 2, 3)), [0, 60, 100], atol=3)
    (folder / "bea_000.jpg").unlink()
    (folder / "bea_000_features.json").unlink()
    (example,) = Storms(folder, context=3, targets=2, size=12, crop=14, short="skip").open("all")
    np.testing.assert_array_equal(asked.context, example["context"])
    np.testing.assert_array_equal(asked.came, example["image"])


def test_frames_that_are_no_squares(run, tmp_path):
    """Of a run of other data: the middle of a folder's frames in the proportions of its own."""
    folder = tmp_path / "s"
    write_storm(folder, "ana", [0, 600, 1000, 1500, 2100], size=(16, 20))
    spec = dataclasses.replace(
        run.spec, extras=(Extra("context", (3, 12, 30, 1), "uint8"), *run.spec.extras[1:])
    )
    wide = Run(run.folder, run.experiment, dataclasses.replace(run.state, spec=spec), DataMesh(1))
    asked = question_of_folder(wide, None, folder, None, 1000)
    assert asked.context.shape == (3, 12, 30, 1)
    assert asked.came.shape == (2, 12, 30, 1)
    np.testing.assert_allclose(asked.context.mean((1, 2, 3)), [0, 60, 100], atol=1)
    with Image.open(folder / "ana_002.jpg") as file:  # 8 of 16 rows are as wide as 20 columns
        expected = file.crop((0, 4, 20, 12)).resize((30, 12), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(asked.context[2, ..., 0], np.asarray(expected))


def test_conditions_of_a_folder_reach_the_model(tmp_path):
    """Ocean and wind change what a model that learned from them says; without them it refuses."""
    folder = tmp_path / "s"
    write_storm(folder, "ana", [0, 600, 1000, 1500, 2100], wind=40)
    data = StormData(
        folder,
        12,
        context=3,
        targets=2,
        gap=0,
        valid=None,
        valid_fraction=0,
        test_fraction=0,
        train="train",
        test="train",
        conditions=("ocean", "wind_speed"),
        batch_size=1,
    )
    for model in (
        ConvLSTM(widths=(4, 4), hidden=(4,), embedding_dim=4, loss=ForecastLoss(l1=1.0)),
        UNetAttention(width=4, depth=1, attention_levels=0, embedding_dim=4),
    ):
        state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), data.spec)
        untold = dataclasses.replace(data.spec, extras=data.spec.extras[:3])
        plain = jax.eval_shape(lambda m=model, s=untold: m.init(rngs_from_seed(0), s))
        told = [p for p, _ in jax.tree.leaves_with_path(state.params) if "Condition" in str(p)]
        assert len(told) == 2
        assert len(jax.tree.leaves(state.params)) == len(jax.tree.leaves(plain.params)) + 2
        rng = np.random.default_rng(0)  # as if something had been learned
        params = jax.tree.map(lambda v, rng=rng: v + rng.normal(0, 0.3, v.shape), state.params)
        state = dataclasses.replace(state, params=params)
        own = Run(tmp_path, Experiment(data=data, model=model), state, DataMesh(1))
        asked = question_of_folder(own, None, folder, None, 1000)
        assert asked.conditions["ocean"] == 1
        np.testing.assert_array_equal(asked.conditions["wind_speed"], [40, 40, 40])
        batch = own.batch(1, "train")
        drawn = own.forecast(batch, batch["time"]).astype(int)
        for other in ({"ocean": np.array([2])}, {"wind_speed": np.full((1, 3), 90.0)}):
            changed = own.forecast({**batch, **other}, batch["time"]).astype(int)
            assert np.abs(changed - drawn).max() > 0
        del batch["ocean"]
        with pytest.raises(
            UserError, match=r"is told ocean beside the frames, \[1\], which is not"
        ):
            own.forecast(batch, batch["time"])
    for path in folder.glob("*_label.json"):
        path.unlink()
    with pytest.raises(UserError, match=r"is told wind_speed, and storm ana in .* has none"):
        question_of_folder(own, None, folder, None, 1000)


def test_translations_are_counted_at_thresholds(tmp_path):
    """Against a loop over thresholds, without what the radar did not measure."""
    write_synthetic_sevir(tmp_path / "sevir", num_events=6, size=16, num_frames=2)
    (vil,) = tmp_path.glob("sevir/vil/*/*.h5")
    with h5py.File(vil, "r+") as file:
        values = file["vil"][:]
        values[:, :5] = 255
        file["vil"][:] = values
    data = SevirData(tmp_path / "sevir", train="all", valid=None, test="all", batch_size=4)
    model = UNetAttention(
        width=4, depth=1, attention_levels=0, embedding_dim=4, loss=ForecastLoss(ssim=0, l1=1.0)
    )
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), data.spec)
    rain = Run(tmp_path, Experiment(data=data, model=model), state, DataMesh(1))
    figures, batch = rain.evaluate("all"), rain.batch(6, "all")
    made, came = rain.translate(batch)[:, 5:], batch["image"][:, 5:]
    assert (batch["image"][:, :5] == 255).all()
    for threshold in (16, 74, 133, 160, 181, 219):
        both = (made >= threshold) & (came >= threshold)
        either = (made >= threshold) | (came >= threshold)
        figure = figures[f"csi_{threshold}"]
        np.testing.assert_allclose(
            figure.value, both.sum() / either.sum() if either.any() else np.nan
        )
        assert (figure.n, figure.kind) == (6, "estimate")
    error = (made.astype(float) - came) / 255
    np.testing.assert_allclose(figures["mae"].value, np.abs(error).mean(), atol=0.003)  # rounded


def test_a_storm_of_one_frame_is_left_out(tmp_path):
    write_storm(tmp_path / "s", "ana", [0, 600, 1000, 1500, 2100])
    write_storm(tmp_path / "s", "bea", [0])
    with pytest.raises(UserError, match=r"storm bea in .* has 1 frame, .* short skip"):
        Storms(tmp_path / "s", context=3, targets=2).open("all")
    assert len(Storms(tmp_path / "s", context=3, targets=2, short="skip").open("all")) == 1


@pytest.mark.parametrize(
    ("storms", "options", "message"),
    [
        ({"a": [0, 1, 2]}, {}, "no frame of storm a in .* comes after 2 s.*--times"),
        ({"a": [0, 1, 2]}, {"at": 1.0}, "storm a in .* has 2 frames up to 1 s, but .* from 3"),
        ({"a": [0, 1, 2], "b": [0, 1, 2]}, {}, r"holds 2 storms \(a, b\): choose with --storm"),
        ({"a": [0, 1, 2]}, {"storm": "c"}, "--storm c: .* holds a"),
        ({"a": [0]}, {}, "storm a in .* has 1 frame up to 0 s, but .* from 3"),
        ({}, {}, "there is no folder or archive"),
    ],
)
def test_folders_that_do_not_fit(run, tmp_path, storms, options, message):
    for storm, times in storms.items():
        write_storm(tmp_path / "s", storm, times)
    options = {"storm": None, "at": None, **options}
    with pytest.raises(UserError, match=message) as error:
        question_of_folder(run, None, tmp_path / "s", **options)
    assert "\n" not in str(error.value)


def typed(monkeypatch, run, command):
    monkeypatch.setattr(asked, "open_run", lambda *asked: run)
    cli.dispatch(command.split())


def test_the_command_writes_frames_a_strip_and_an_animation(run, tmp_path, monkeypatch, capsys):
    write_storm(tmp_path / "s", "ana", [0, 600, 1000, 1500])
    out = f"--out {tmp_path / 'out'}"
    typed(monkeypatch, run, f"forecast r --context {tmp_path / 's'} --times +10min,3600,+2h {out}")
    folder = tmp_path / "out" / "ana_001500s_at_600_3600_7200s"
    assert sorted(p.name for p in folder.iterdir()) == [
        "forecast.gif",
        "frame_0000600s.png",
        "frame_0003600s.png",
        "frame_0007200s.png",
        "strip.png",
    ]
    with Image.open(folder / "frame_0000600s.png") as frame:
        assert frame.size == (12, 12)
    with Image.open(folder / "forecast.gif") as animation:
        assert animation.n_frames >= 2
    assert "3 frames at +10 min, +1 h, +2 h" in capsys.readouterr().out
    typed(monkeypatch, run, f"forecast r --num 2 {out}")
    assert (tmp_path / "out" / "test_00004" / "strip.png").exists()


def test_a_forecast_is_alone_in_its_folder(run, tmp_path, monkeypatch):
    question = Question(
        "x", *(run.batch(1)[n][0] for n in ("context", "context_time", "time")), None
    )
    folder = tmp_path / "forecasts" / "x"
    write_forecast(run, question._replace(times=np.float32([0.25, 0.5, 600])), folder)
    frames = [f"frame_{seconds}s.png" for seconds in ("0000000.25", "0000000.5", "0000600")]
    assert sorted(p.name for p in folder.glob("frame_*")) == frames
    write_forecast(run, question._replace(times=np.float32([1200])), folder)
    wanted = ["forecast.gif", "frame_0001200s.png", "strip.png"]
    assert sorted(p.name for p in folder.iterdir()) == wanted
    assert [p.name for p in folder.parent.iterdir()] == ["x"]
    # What is somebody's own is not replaced.
    (tmp_path / "out" / "test_00000").mkdir(parents=True)
    (tmp_path / "out" / "test_00000" / "notes.txt").touch()
    with pytest.raises(UserError, match=r"test_00000 holds notes.txt, which is of no forecast"):
        typed(monkeypatch, run, f"forecast r --num 1 --out {tmp_path / 'out'}")


def test_times_in_the_name_of_a_folder():
    assert times_in_a_name(np.float32([0.5, 600])) == "0.5_600s"
    assert times_in_a_name(np.arange(1, 13, dtype=np.float32) * 300) == "12_times_300_to_3600s"


def test_evaluate_shows_the_table(run, monkeypatch, capsys):
    typed(monkeypatch, run, "evaluate r")
    said = capsys.readouterr().out
    assert all(name in said for name in ("persistence", "extrapolation", "lead_times_test.png"))
    assert (run.folder / "lead_times_test.png").exists()
    typed(monkeypatch, run, "evaluate r --json")
    read = json.loads(capsys.readouterr().out)["lead_times"]
    assert len(read["seconds"]) == len(read["persistence"]["mse"]) == 2
    assert read["model"].keys() == read["extrapolation"].keys()
    assert len(read["against"]["persistence"]["mse_ratio_stderr"]) == 2
    assert read["recommendation"] in said


def test_what_cannot_forecast_says_so(run, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="--storm x is for a folder of storms"):
        typed(monkeypatch, run, "forecast r --storm x")
    data = Data()
    model = Autoencoder()
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), data.spec)
    images = Run(tmp_path, Experiment(data=data, model=model), state, DataMesh(1))
    with pytest.raises(UserError, match="Autoencoder can't forecast"):
        typed(monkeypatch, images, "forecast r")
    with pytest.raises(UserError, match="Autoencoder can't forecast"):
        images.evaluate_lead_times()


def test_what_is_not_finite_is_null_in_json():
    rows = {"csi_16": tuple(Figure(v, "estimate", 3, 0.0) for v in (math.nan, 0.5, math.inf))}
    found = LeadTimes((600.0, 1200.0, 1800.0), {"model": rows}).plain()
    assert found == {"seconds": [600.0, 1200.0, 1800.0], "model": {"csi_16": [None, 0.5, None]}}
