import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data import (
    ArrayExamples,
    Data,
    DataSpec,
    Digits,
    Extra,
    SequenceData,
    SequenceFlip,
    SequenceQuarterTurn,
    SequenceRotation,
    Split,
    SyntheticStorms,
    TimeReversal,
    apply_random,
)
from gm_jax.data.augmentations import rotate
from gm_jax.data.sequence_augmentations import quarter_turned
from gm_jax.data.sequences.checks import forecast_spec
from gm_jax.data.sequences.vortex import draw_vortices, render
from gm_jax.errors import ConfigError
from gm_jax.rng import rngs_from_seed

RNG = np.random.default_rng(0)
KNOWN, WANTED, SIZE = 3, 2, 6


def batch(num=48):
    frames = RNG.integers(0, 256, (num, KNOWN + WANTED, SIZE, SIZE, 1), np.uint8)
    times = np.cumsum(RNG.integers(1, 5000, (num, KNOWN + WANTED)), 1).astype(np.float32)
    times -= times[:, KNOWN - 1 : KNOWN]
    return {
        "context": frames[:, :KNOWN],
        "image": frames[:, KNOWN:],
        "context_time": times[:, :KNOWN],
        "time": times[:, KNOWN:],
        "index": np.arange(num, dtype=np.int32),
    }


@functools.partial(jax.jit, static_argnums=(0, 3))
def jitted(transforms, rngs, x, train):  # one shape of batch, so that each is compiled once
    return apply_random(transforms, rngs, x, train)


def applied(transforms, x, train=True, step=0):
    made = jitted(transforms, rngs_from_seed(0).at(step), x, train)
    assert made.keys() == x.keys()
    return {name: np.asarray(values) for name, values in made.items()}


def frames(x):
    return np.concatenate([x["context"], x["image"]], 1)


def stamps(x):
    return np.concatenate([x["context_time"], x["time"]], 1)


def same(a, b):
    for name, values in b.items():
        np.testing.assert_array_equal(a[name], values)
        assert a[name].dtype == values.dtype


def among(made, candidates):
    """How often each example is each of the candidates [K, N, ...]; it must be one of them."""
    hits = (made == candidates).reshape(*candidates.shape[:2], -1).all(-1)
    assert (hits.sum(0) == 1).all()
    return hits.mean(1)


def test_flips_are_drawn_by_themselves_and_alike_for_all_frames():
    x = batch()
    made = applied((SequenceFlip(),), x)
    f = frames(x)
    candidates = np.stack([f, f[:, :, ::-1], f[:, :, :, ::-1], f[:, :, ::-1, ::-1]])
    assert among(frames(made), candidates).min() > 0.1
    np.testing.assert_array_equal(stamps(made), stamps(x))
    always = SequenceFlip(1.0, 0.0)
    np.testing.assert_array_equal(frames(applied((always,), x)), f[:, :, :, ::-1])
    same(applied((always, always), x), x)


def test_quarter_turns_are_those_of_numpy():
    x = batch()
    f = frames(x)
    for turns in range(4):
        found = quarter_turned(jnp.asarray(f[0]), jnp.asarray(turns))
        np.testing.assert_array_equal(found, np.rot90(f[0], turns, (1, 2)))
    candidates = np.stack([np.rot90(f, k, (2, 3)) for k in range(4)])
    assert among(frames(applied((SequenceQuarterTurn(),), x)), candidates).min() > 0.1


def test_a_small_turn_is_that_of_single_images():
    x = batch()
    made = frames(applied((SequenceRotation(30.0),), x))
    key = rngs_from_seed(0).at(0)("transform/0/SequenceRotation")
    for i in range(2):
        degrees = jax.random.uniform(jax.random.fold_in(key, i), minval=-30.0, maxval=30.0)
        for k in range(KNOWN + WANTED):
            turned = rotate(frames(x)[i, k], degrees).astype(int)
            np.testing.assert_allclose(made[i, k], turned, atol=1)
    same(applied((SequenceRotation(0.0),), x), x)


def test_time_reversal_keeps_intervals():
    x = batch()
    always = TimeReversal(1.0)
    made = applied((always,), x)
    for i in range(len(x["image"])):
        order = [4, 3, 2, 1, 0]
        np.testing.assert_array_equal(frames(made)[i], frames(x)[i, order])
        then = stamps(x)[i]
        expected = [then[order[KNOWN - 1]] - then[k] for k in order]
        np.testing.assert_array_equal(stamps(made)[i], expected)
    assert (made["context_time"][:, -1] == 0).all()
    assert (np.diff(stamps(made)) > 0).all()
    same(applied((always, always), x), x)
    reversed_too = (applied((TimeReversal(),), x)["context"] != x["context"]).any((1, 2, 3, 4))
    assert 0.2 < reversed_too.mean() < 0.8


@pytest.mark.parametrize(
    "transform",
    [SequenceFlip(), SequenceQuarterTurn(), SequenceRotation(), TimeReversal()],
    ids=lambda transform: type(transform).__name__,
)
def test_draws_depend_on_key_and_index_alone_and_are_for_training(transform):
    x = batch()
    whole = applied((transform,), x)
    order = RNG.permutation(len(x["image"]))
    other = applied((transform,), {name: values[order] for name, values in x.items()})
    same(other, {name: values[order] for name, values in whole.items()})
    assert (frames(applied((transform,), x, step=1)) != frames(whole)).any()
    same(apply_random((transform,), rngs_from_seed(0), x, train=False), x)


def test_mirrored_storms_turn_the_other_way():
    """A flip is the storm whose parameters are mirrored: motion and picture fit each other."""
    some = draw_vortices(lambda name: np.random.default_rng([3, len(name)]), 48, 900)
    times = np.broadcast_to(900.0 * np.arange(-2, 3), (48, 5))
    mirrored = {
        name: -getattr(some, name) for name in ("y", "heading", "turning", "phase", "rotation")
    }
    there, here = (render(s, times, SIZE) for s in (some, dataclasses.replace(some, **mirrored)))
    x = {**batch(), "context": there[:, :KNOWN], "image": there[:, KNOWN:]}
    made = frames(applied((SequenceFlip(0.0, 1.0),), x))
    np.testing.assert_allclose(made.astype(int), here, atol=1)


def test_as_the_augmentation_of_an_experiment():
    storms = SyntheticStorms(size=8, num_train=8)
    data = Data(storms, train="train", valid=None, transforms=(SequenceFlip(), TimeReversal()))
    assert data.spec == storms.spec
    assert data.open("train").transforms == data.transforms
    own = SequenceData(augment=(SequenceQuarterTurn(),))
    assert own.transforms == (SequenceQuarterTurn(),)
    assert SequenceData().transforms == ()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="SequenceFlip is for sequences of frames, and these"):
        _ = Data(Digits(), transforms=(SequenceFlip(),)).spec
    spec = forecast_spec((4, 6, 1), 3, 2, (Extra("wind_speed", (3,)),))
    with pytest.raises(ConfigError, match="TimeReversal cannot know wind_speed of the frames"):
        TimeReversal().spec(spec)
    with pytest.raises(ConfigError, match="SequenceQuarterTurn needs square frames, not 4x6"):
        SequenceQuarterTurn().spec(spec)
    pair = DataSpec((4, 4, 1), extras=(Extra("other", (4, 4, 1), "uint8"),))
    with pytest.raises(ConfigError, match="these data are none"):
        Split(ArrayExamples(np.zeros((2, 4, 4, 1), np.uint8)), pair, (SequenceFlip(),))
    for bad in (
        lambda: SequenceFlip(1.5),
        lambda: TimeReversal(-0.1),
        lambda: SequenceRotation(-1),
    ):
        with pytest.raises(ConfigError, match=r"must be"):
            bad()
