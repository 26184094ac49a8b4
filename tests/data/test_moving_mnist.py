import dataclasses

import chex
import numpy as np
import pytest

from gm_jax.data import Data, DataSpec, Digits, Extra, MovingMnist, Ring, Tfds
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
