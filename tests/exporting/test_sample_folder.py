"""Samples of any number in a folder: the bits of one call, none drawn twice, a chunk at a time."""

import json

import numpy as np
import pytest
from PIL import Image

from gm_jax import drawing, sample_folder
from gm_jax.errors import UserError
from gm_jax.viz.grids import to_pixels


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 10: at least 4, in whole turns of 10 classes."""
    monkeypatch.setattr(drawing, "_CHUNK_VALUES", 1)
    monkeypatch.setattr(drawing, "_CHUNK_LEAST", 4)


def pictures(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def shards(folder):
    loaded = [np.load(path) for path in sorted(folder.glob("*.npz"))]
    return {name: np.concatenate([np.atleast_1d(s[name]) for s in loaded]) for name in loaded[0]}


def test_files_hold_the_bits_of_one_call(run_of, tmp_path):
    run = run_of("gmm")
    levels = run.sample(23, 5)
    assert run.sample_to_folder(tmp_path / "png", 23, 5) == 23
    np.testing.assert_array_equal(pictures(tmp_path / "png"), to_pixels(levels, 17)[..., 0])
    names = sorted(path.name for path in (tmp_path / "png").iterdir())
    assert names == [*(f"{i:06d}.png" for i in range(23)), "samples.json"]
    run.sample_to_folder(tmp_path / "npz", 23, 5, kind="npz")
    found = shards(tmp_path / "npz")
    np.testing.assert_array_equal(found["image"], levels)
    np.testing.assert_array_equal(found["num_levels"], [17] * 3)
    run.sample_to_folder(tmp_path / "few", 3, 5, kind="npz")
    np.testing.assert_array_equal(shards(tmp_path / "few")["image"], run.sample(3, 5))


def test_what_is_whole_is_not_drawn_again(run_of, tmp_path, monkeypatch):
    run = run_of("gmm")
    run.sample_to_folder(tmp_path / "a", 23)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert run.sample_to_folder(tmp_path / "a", 23) == 0
    assert run.sample_to_folder(tmp_path / "a", 7) == 0
    (tmp_path / "a" / "000012.png").unlink()
    assert run.sample_to_folder(tmp_path / "a", 23) == 10
    np.testing.assert_array_equal(pictures(tmp_path / "a"), to_pixels(run.sample(23), 17)[..., 0])
    changed = [p.name for p in before if p.stat().st_mtime_ns != before[p]]
    assert sorted(changed) == [f"{i:06d}.png" for i in range(10, 20)]

    written = []
    real = sample_folder.save_png

    def full_disk(path, pixels):
        if len(written) == 14:
            raise OSError(28, "No space left on device")
        written.append(path)
        real(path, pixels)

    monkeypatch.setattr(sample_folder, "save_png", full_disk)
    with pytest.raises(OSError, match="No space left"):
        run.sample_to_folder(tmp_path / "b", 23)
    monkeypatch.setattr(sample_folder, "save_png", real)
    assert run.sample_to_folder(tmp_path / "b", 23) == 13
    np.testing.assert_array_equal(pictures(tmp_path / "b"), pictures(tmp_path / "a"))


def test_a_larger_number_adds_what_is_missing(run_of, tmp_path):
    run = run_of("gmm")
    run.sample_to_folder(tmp_path / "a", 14, kind="npz")
    assert run.sample_to_folder(tmp_path / "a", 23, kind="npz") == 13  # the short shard, and one
    np.testing.assert_array_equal(shards(tmp_path / "a")["image"], run.sample(23))


def test_one_chunk_is_held_at_a_time(run_of, tmp_path, monkeypatch):
    run, held = run_of("gmm"), []
    real = sample_folder.SampleFolder.write
    monkeypatch.setattr(
        sample_folder.SampleFolder,
        "write",
        lambda self, start, image, **more: (held.append(image), real(self, start, image, **more)),
    )
    run.sample_to_folder(tmp_path / "a", 25)
    assert [len(image) for image in held] == [10, 10, 5]


def test_labels_stay_with_their_images(run_of, tmp_path):
    run = run_of("cgan")
    run.sample_to_folder(tmp_path / "turns", 13, kind="npz")
    found = shards(tmp_path / "turns")
    np.testing.assert_array_equal(found["label"], np.arange(13) % 10)
    np.testing.assert_array_equal(found["image"], run.sample(13))
    run.sample_to_folder(tmp_path / "sixes", 13, condition=6, kind="npz", truncation=0.5)
    found = shards(tmp_path / "sixes")
    assert (found["label"] == 6).all()
    np.testing.assert_array_equal(found["image"], run.sample(13, condition=6, truncation=0.5))
    about = json.loads((tmp_path / "sixes" / "samples.json").read_text())
    assert (about["label"], about["sampling"]["truncation"], about["step"]) == ([6], 0.5, 7)


def test_another_draw_is_not_mixed_in(run_of, tmp_path):
    run = run_of("gmm")
    run.sample_to_folder(tmp_path / "a", 3)
    with pytest.raises(UserError, match="another draw: seed is 0 there and 1 here"):
        run.sample_to_folder(tmp_path / "a", 3, seed=1)
    with pytest.raises(UserError, match="another draw: format is png there and npz here"):
        run.sample_to_folder(tmp_path / "a", 3, kind="npz")
    params = run.state.params
    run.state = run.state.replace(params={**params, "means": params["means"] * 2})
    with pytest.raises(UserError, match="another draw: weights is"):
        run.sample_to_folder(tmp_path / "a", 3)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty and holds no samples"):
        run.sample_to_folder(tmp_path / "b", 3)
    (tmp_path / "a" / "samples.json").write_text("[]")
    with pytest.raises(UserError, match=r"samples.json does not say"):
        run.sample_to_folder(tmp_path / "a", 3)
    with pytest.raises(UserError, match="is a file: give a folder"):
        run.sample_to_folder(tmp_path / "b" / "mine.txt", 3)


def test_the_command(run_of, tmp_path, told, refused):
    file = run_of("gmm").export(tmp_path / "model.safetensors")
    out = told("sample", file, "--num", 23, "--out", f"{tmp_path}/new/")
    assert "samples image 23/23" in out
    assert "23 · seed 0" in out
    assert len(pictures(tmp_path / "new")) == 23
    assert "23 were there" in told("sample", file, "--num", 23, "--out", tmp_path / "new")
    told("sample", file, "--num", 3, "--format", "npz", "--out", tmp_path / "shards")
    assert (tmp_path / "shards" / "shard_00000.npz").is_file()
    assert "one file" in refused("sample", file, "--format", "npz", "--out", tmp_path / "x.npz")
    assert "give --out FOLDER" in refused("sample", file, "--format", "png")
    line = refused("sample", file, "--seed", 4, "--out", tmp_path / "new")
    assert line.endswith("give another folder (--out)")
    assert "a folder in /" in refused("sample", file, "--out", tmp_path / "images")
