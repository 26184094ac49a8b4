"""The commands, as a user types them."""

import gc
import json

import numpy as np
import pytest
from PIL import Image

from gm_jax import cli
from gm_jax.errors import UserError

TINY = [
    *("--training.num-steps", "4", "--training.eval-every", "2", "--training.sample-every", "4"),
    *("--data.batch-size", "8", "--data.limit", "24", "--evaluation.num-samples", "2"),
]


def run(capsys, *argv):
    """Runs one command; returns what it printed."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in argv])
    printed = capsys.readouterr()
    assert stop.value.code == 0, printed.err
    return printed.out


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    """A folder in which digits/vae has been trained for four steps."""
    monkeypatch.chdir(tmp_path)
    out = run(capsys, "train", "digits/vae", *TINY, "--model.coder.hidden", "8")
    return tmp_path / "runs" / "digits" / "vae", out


def test_train_says_what_it_did_and_what_is_next(trained, capsys):
    folder, out = trained
    for word in (
        "step 4",
        "bits/dim",
        "−ELBO",
        "(bound, 24 examples)",
        "gm-jax sample",
        "final.png",
    ):
        assert word in out
    for file in (
        "experiment.json",
        "metrics.jsonl",
        "curves.png",
        "samples/final.png",
        "samples/final_reconstructions.png",
        "samples/step_00000004.png",
    ):
        assert (folder / file).is_file(), file
    assert list((folder / "tensorboard").iterdir())
    again = run(capsys, "train", "digits/vae", *TINY, "--model.coder.hidden", "8")
    assert "trained already" in again
    figures = [line for line in out.splitlines() if "examples)" in line]
    assert figures == [line for line in again.splitlines() if "examples)" in line]
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["phase"] for r in records].count("test") == 1


def test_evaluate(trained, capsys):
    folder, _ = trained
    told = json.loads(run(capsys, "evaluate", folder, "--split", "valid", "--json"))
    assert told["step"] == 4 or told["step"] == 2
    assert told["bits_per_dim"]["kind"] == "bound"
    assert told["neg_log_prob"]["value"] < told["neg_elbo"]["value"] + 1.0
    table = run(capsys, "evaluate", folder, "--num-samples", "0")
    assert "bits/dim" in table
    assert "−log p" not in table


def test_sample_to_a_grid_and_to_levels(trained, capsys, tmp_path):
    folder, _ = trained
    run(capsys, "sample", folder, "--num", 9, "--seed", 3, "--out", tmp_path / "a.npz")
    run(capsys, "sample", folder, "--num", 9, "--seed", 3, "--out", tmp_path / "new" / "b.npz")
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "new" / "b.npz") as b:
        assert a["image"].shape == (9, 8, 8, 1)
        assert a["image"].dtype == np.uint8
        np.testing.assert_array_equal(a["image"], b["image"])
        assert int(a["num_levels"]) == 17
    assert "seed_0_means.png" in run(capsys, "sample", folder, "--means")
    with Image.open(folder / "samples" / "seed_0_means.png") as picture:
        assert picture.size[0] > 100


def test_reconstruct_image_files(trained, capsys, tmp_path):
    folder, _ = trained
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    paths = [tmp_path / "grey.png", tmp_path / "colour image.png"]
    Image.fromarray(pixels[..., 0]).save(paths[0])
    Image.fromarray(pixels).save(paths[1])
    out = run(capsys, "reconstruct", folder, "--images", *paths)
    assert "reconstructions_of_grey+colour_image.png · 2 images" in out
    assert "reconstructions.png · 16 images" in run(capsys, "reconstruct", folder)


def test_interpolate(trained, capsys, tmp_path):
    folder, _ = trained
    run(capsys, "interpolate", folder, "--lines", 2, "--num", 5, "--out", tmp_path / "lines.png")
    with Image.open(tmp_path / "lines.png") as picture:
        width, height = picture.size
    assert width > 2 * height
    run(capsys, "interpolate", folder, "--lines", 2, "--out", tmp_path / "lines.gif")
    with Image.open(tmp_path / "lines.gif") as animation:
        assert animation.n_frames > 10
        assert animation.size == (2 * 50 + 2, 50 + 2)


def test_list_shows_all_experiments(capsys):
    listed = json.loads(run(capsys, "list", "--json"))
    assert {"digits/vae", "mnist/vae_binarized", "cifar10/ae"} <= {e["name"] for e in listed}
    assert "digits/vae" in run(capsys, "list")


def test_a_run_is_sampled_without_its_data(trained, capsys, monkeypatch, tmp_path):
    folder, _ = trained
    text = (folder / "experiment.json").read_text()
    nowhere = {"class": "gm_jax.data.store.tfds:Tfds", "name": "not_here", "version": None}
    plain = json.loads(text)
    plain["experiment"]["data"]["source"] = nowhere
    (folder / "experiment.json").write_text(json.dumps(plain))
    assert "4 images" in run(capsys, "sample", folder, "--num", 4)


def test_garbage_is_collected_again_once_a_command_has_begun(monkeypatch):
    collected = []

    class Noting:
        def act(self):
            collected.append(gc.isenabled())
            return 0

    def read(argv):
        collected.append(gc.isenabled())
        if "--wrong" in argv:
            raise UserError("no such flag")
        return Noting()

    monkeypatch.setattr("gm_jax.cli.commands.read", read)
    assert cli.dispatch(["list"]) == 0
    with pytest.raises(UserError, match="no such flag"):
        cli.dispatch(["list", "--wrong"])
    collected.append(gc.isenabled())
    assert collected == [False, True, False, True]
