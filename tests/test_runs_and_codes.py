"""gm-jax runs and gm-jax encode."""

import fcntl
import json
import shutil

import numpy as np
import pytest

import gm_jax
from gm_jax import cli
from gm_jax.training.folder import is_locked, locked
from gm_jax.training.summary import headline, summarize


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    experiment = gm_jax.load("digits/vae").quick()
    return gm_jax.fit(experiment, tmp_path_factory.mktemp("place") / "runs" / "digits" / "vae")


def told(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in argv])
    printed = capsys.readouterr()
    return printed.out if stop.value.code == 0 else printed.err


def test_a_table_of_runs(run, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("done", "deep/half", "odd"):
        shutil.copytree(run.folder, tmp_path / "runs" / name)
    shutil.rmtree(tmp_path / "runs/deep/half/checkpoints/4")
    (tmp_path / "runs/odd/experiment.json").write_text("{}")
    with locked(tmp_path / "runs/done"):
        assert summarize(tmp_path / "runs/done").state == "training"
    title, *rows = told(capsys, "runs").splitlines()
    assert title.split() == ["run", "experiment", "state", "step", "headline", "size"]
    assert [row.split()[0] for row in rows] == ["runs/deep/half", "runs/done", "runs/odd"]
    figure = run.metrics["valid"]["bits_per_dim"][-1]
    cells = ["digits/vae", "stopped", "2", "of", "4", "valid", "bits_per_dim", f"{figure:.4g}"]
    assert rows[0].split()[1:-2] == cells
    assert "finished" in rows[1]
    assert "damaged" in rows[2]
    first, *_ = json.loads(told(capsys, "runs", tmp_path / "runs", "--json"))
    assert (first["state"], first["step"], first["num_steps"]) == ("stopped", 2, 4)
    assert first["num_bytes"] > 1000


def test_no_runs(tmp_path, capsys):
    assert "no run lies in" in told(capsys, "runs", tmp_path)
    assert "there is no folder" in told(capsys, "runs", tmp_path / "none")


def test_the_headline_is_the_monitored_figure_of_the_last_test():
    lines = [
        {"step": 1, "phase": "train", "loss": 3.0},
        {"step": 1, "phase": "valid", "mse": 2.0, "psnr": 4.0},
    ]
    assert headline([], None, 17) == ""
    assert headline(lines[:1], None, 17) == "train loss 3"
    assert headline(lines, None, 17) == "valid mse 2"
    assert headline(lines, "psnr", 17) == "valid psnr 4"
    test = {"step": 1, "phase": "test", "loss": 1.0, "kinds": {}}
    assert headline([*lines, test], "mse", 17) == "test loss 1"
    assert headline([{"step": 1, "phase": "train", "loss": "nan"}], None, 17) == ""


def test_points_have_their_headline_in_nats():
    told = {"bits_per_dim": -2.0, "neg_elbo": -2.7, "neg_log_prob": 5.0}
    line = {"step": 1, "phase": "test", **told}
    assert headline([line], None, 17) == "test bits_per_dim -2"
    assert headline([line], None, None) == "test neg_log_prob 5"
    bound = {**line, "kinds": {"neg_log_prob": "surrogate", "neg_elbo": "bound"}}
    assert headline([bound], None, None) == "test neg_elbo -2.7"


def test_a_look_at_the_lock_stops_no_training(run):
    with (run.folder / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as one who looks
        assert not is_locked(run.folder)
        with pytest.raises(gm_jax.UserError, match="another process"), locked(run.folder):
            pass
        fcntl.flock(file, fcntl.LOCK_UN)
        with locked(run.folder):
            assert is_locked(run.folder)


def test_codes_of_a_split(run, capsys, tmp_path):
    out = told(capsys, "encode", run.folder, "--out", tmp_path / "codes.npz")
    assert "24 of test · 4 each" in out
    with np.load(tmp_path / "codes.npz") as arrays:
        assert {*arrays} == {"code", "index", "label"}
        batch = run.batch(24)
        np.testing.assert_array_equal(arrays["label"], batch["label"])
        np.testing.assert_allclose(arrays["code"], run.encode(batch), rtol=1e-5, atol=1e-6)
    told(capsys, "encode", run.folder, "--split", "test[:5]")
    assert (run.folder / "codes_test_5.npz").is_file()


def test_a_family_without_codes(tmp_path, capsys):
    folder = gm_jax.fit(gm_jax.load("digits/bayes").quick(), tmp_path / "run").folder
    assert "can't encode" in told(capsys, "encode", folder)
    assert "must end in .npz" in told(capsys, "encode", folder, "--out", "x.png")
