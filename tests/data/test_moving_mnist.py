import dataclasses

import chex
import numpy as np
import pytest

from gm_jax.data import (
    Data,
    DataSpec,
    Digits,
    Extra,
    MovingMnist,
    MovingMnistData,
    Ring,
    Sequences,
    SevirData,
    Tfds,
)
from gm_jax.data.sequences.moving_mnist import bounce
from gm_jax.errors import ConfigError, UserError

SMALL = MovingMnist(
    Digits(), context=3, targets=4, size=20, num_train=30, num_validation=5, num_test=12
)


def frames_of(source, split):
    loaded = source.open(split).load_all()
    return np.concatenate([loaded["context"], loaded["image"]], 1)


def test_examples():
    loaded = SMALL.open("train").load_all()
    assert SMALL.spec == DataSpec(
        (4, 20, 20, 1),
        num_levels=17,
        extras=(
            Extra("context", (3, 20, 20, 1), "uint8"),
            Extra("context_time", (3,)),
            Extra("time", (4,)),
        ),
    )
    chex.assert_shape(loaded["image"], (30, 4, 20, 20, 1))
    np.testing.assert_array_equal(loaded["context_time"], np.tile([-2.0, -1, 0], (30, 1)))
    np.testing.assert_array_equal(loaded["time"], np.tile([1.0, 2, 3, 4], (30, 1)))
    data = Data(source=SMALL, train="train", valid="valid", batch_size=8)
    batch = data.open("train").batch_at(1)
    np.testing.assert_array_equal(batch["image"], loaded["image"][batch["index"]])


def test_bouncing_is_the_loop_of_one_point():
    rng = np.random.default_rng(0)
    start, step = rng.uniform(0, 1, (50, 2)), rng.uniform(-0.3, 0.3, (50, 2))
    ways = bounce(start, step, 40)
    for i in range(50):
        for axis in range(2):
            x, v = start[i, axis], step[i, axis]
            for t in range(40):
                x += v
                if x <= 0:
                    x, v = 0.0, -v
                elif x >= 1:
                    x, v = 1.0, -v
                assert ways[t, i, axis] == pytest.approx(x, abs=1e-12)
    assert ((ways == 0) | (ways == 1)).any((0, 2)).mean() > 0.9


def test_frames_are_the_brighter_pixels_of_moving_digits():
    """Drawn again one pixel at a time, from what was drawn for the split."""
    examples = SMALL.open("test")
    frames = frames_of(SMALL, "test")
    digits = Digits().open("test").load_all()["image"]
    for n in (0, 7):
        for t in range(7):
            expected = np.zeros((20, 20), int)
            for d in range(2):
                top, left = examples._corners[n, t, d]
                for i in range(8):
                    for j in range(8):
                        level = digits[examples._which[n, d], i, j, 0]
                        expected[top + i, left + j] = max(expected[top + i, left + j], level)
            np.testing.assert_array_equal(frames[n, t, ..., 0], expected)


def test_a_digit_moves_by_a_tenth_of_its_way():
    one = dataclasses.replace(SMALL, num_digits=1, size=108, num_train=200)
    corners = one.open("train")._corners[:, :, 0]  # [n, T, 2], of 100 pixels
    assert corners.min() >= 0
    assert corners.max() <= 100
    distance = np.linalg.norm(np.diff(corners, axis=1), axis=-1)
    away = ((corners > 12) & (corners < 88)).all(-1)
    free = away[:, 1:] & away[:, :-1]  # of the walls
    assert np.abs(distance[free] - 10).max() < 1.5  # whole pixels
    # A digit is what it was, wherever it is.
    frames = frames_of(one, "train")[..., 0].astype(int)
    assert (frames.sum((2, 3)) == frames.sum((2, 3))[:, :1]).all()
    # All directions and places are as likely.
    start = corners[:, 0]
    assert np.abs(start.mean(0) - 50).max() < 4 * 100 / np.sqrt(12 * 200)


def test_splits_have_sequences_and_digits_of_their_own():
    train, test = frames_of(SMALL, "train"), frames_of(SMALL, "test")
    np.testing.assert_array_equal(frames_of(SMALL, "valid"), frames_of(SMALL, "validation"))
    fewer = dataclasses.replace(SMALL, num_train=10)
    np.testing.assert_array_equal(frames_of(fewer, "train"), train[:10])
    other = dataclasses.replace(SMALL, seed=1)
    assert not (frames_of(other, "train") == train).reshape(30, -1).all(1).any()
    part = frames_of(SMALL, "test[3:5]+train[:1]")
    np.testing.assert_array_equal(part, np.concatenate([test[3:5], train[:1]]))
    np.testing.assert_array_equal(
        SMALL.open("test")._digits, Digits().open("test").load_all()["image"]
    )
    digits = Digits().open("train").load_all()["image"]
    known, held_out = SMALL.open("train")._digits, SMALL.open("validation")._digits
    np.testing.assert_array_equal(np.concatenate([known, held_out]), digits)


def test_of_mnist(tfds_sets):
    source = MovingMnist(num_test=3)
    assert source.spec.shape == (10, 64, 64, 1)
    frames = frames_of(source, "test")
    chex.assert_shape(frames, (3, 20, 64, 64, 1))
    assert (frames.max((2, 3, 4)) > 200).all()
    assert "2 digits of Tfds bouncing in 64x64: 10,000 train" in source.summary()
    assert source.source == Tfds("mnist")


def test_bad_input():
    with pytest.raises(ConfigError, match=r"MovingMnist\.targets must be greater than 0"):
        MovingMnist(targets=0)
    with pytest.raises(ConfigError, match=r"MovingMnist\.source must be a Source"):
        MovingMnist("mnist")  # type: ignore[arg-type]
    for size in (8, 5):
        with pytest.raises(ConfigError, match=f"size {size} leaves no way to digits of 8x8"):
            _ = dataclasses.replace(SMALL, size=size).spec
    with pytest.raises(ConfigError, match=r"MovingMnist\.source .* points"):
        _ = MovingMnist(Ring()).spec
    with pytest.raises(UserError, match="no split 'tset'"):
        SMALL.open("tset")


@pytest.fixture
def grey(monkeypatch):
    """MNIST is not needed to look at a file: digits of 256 levels."""
    spec = DataSpec((8, 8, 1), num_classes=10)
    monkeypatch.setattr(Digits, "spec", property(lambda self: spec))


def test_the_published_test_set(grey, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (7, 5, 20, 20)).astype(np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", frames)
    data = MovingMnistData(tmp_path / "mnist_test_seq.npy", context=3, targets=4, made=SMALL)
    source = data.source
    assert source == dataclasses.replace(SMALL, test_file=str(tmp_path / "mnist_test_seq.npy"))
    loaded = source.open("test[1:3]").load_all()
    np.testing.assert_array_equal(loaded["context"][..., 0], np.moveaxis(frames[:3, 1:3], 1, 0))
    np.testing.assert_array_equal(loaded["image"][..., 0], np.moveaxis(frames[3:, 1:3], 1, 0))
    np.testing.assert_array_equal(loaded["time"], [[1, 2, 3, 4]] * 2)
    assert "5 test of " in source.summary()
    np.testing.assert_array_equal(frames_of(source, "train"), frames_of(SMALL, "train"))
    with pytest.raises(UserError, match="joins sequences of"):
        source.open("test+train")
    assert MovingMnistData().source == MovingMnist()
    np.savez(tmp_path / "my.npz", frames=frames, times=np.arange(5))
    own = MovingMnistData(tmp_path / "my.npz", context=3, targets=2).source
    assert own == Sequences(tmp_path / "my.npz", context=3, targets=2)


def test_files_that_are_no_test_set(grey, tmp_path):
    good = np.zeros((7, 5, 20, 20), np.uint8)
    for name, array in {"short": good[:6], "small": good[..., 1:], "float": good / 255}.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "text.npy").write_text("text")
    (tmp_path / "my.h5").touch()
    for name, words in {
        "short.npy": r"is uint8 \[6, 5, 20, 20\], and sequences of 3 \+ 4 frames are uint8 \[7, K",
        "small.npy": r"is uint8 \[7, 5, 20, 19\]",
        "float.npy": "is float64",
        "text.npy": "cannot be read as .npy",
        "my.h5": "is no file of sequences: give an .npy",
        "none.npy": "there is no file",
    }.items():
        with pytest.raises(UserError, match=words) as error:
            MovingMnistData(tmp_path / name, context=3, targets=4, made=SMALL).source.open("test")
        assert "\n" not in str(error.value)


def test_wrong_fields():
    for fields, words in (
        ({"context": 0}, r"MovingMnistData\.context must be greater than 0"),
        ({"path": 3}, r"MovingMnistData\.path must be"),
        (
            {"made": MovingMnist(context=5)},
            r"made\.context 5 would not count: give MovingMnistData",
        ),
    ):
        with pytest.raises(ConfigError, match=words):
            MovingMnistData(**fields)
    for fields, words in (
        ({"size": 0}, r"SevirData\.size must be greater than 0"),
        ({"task": "paint"}, r"SevirData\.task must be one of"),
        ({"valid_fraction": 0.6, "test_fraction": 0.5}, "must sum to less than 1"),
    ):
        with pytest.raises(ConfigError, match=words):
            SevirData("sevir", **fields)
