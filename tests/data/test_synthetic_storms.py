import cmath
import dataclasses
import math

import chex
import numpy as np
import pytest

from gm_jax.data import Data, DataSpec, Extra, SyntheticStorms
from gm_jax.data.sequences.vortex import Vortices, draw_vortices, render
from gm_jax.errors import ConfigError, UserError

SMALL = SyntheticStorms(size=16, num_train=40, num_validation=6, num_test=8, kind="smooth")


def storms(num: int = 5) -> Vortices:
    return draw_vortices(lambda name: np.random.default_rng([7, len(name), ord(name[0])]), num, 900)


def arrays(source, split):
    return source.open(split).load_all()


def frames(loaded):
    return np.concatenate([loaded["context"], loaded["image"]], 1)


def stamps(loaded):
    return np.concatenate([loaded["context_time"], loaded["time"]], 1)


class TestTheLaw:
    def test_the_centre_follows_its_velocity(self):
        some, end = storms(), 4000.0
        for i in range(len(some)):
            steps = (np.arange(200_000) + 0.5) * end / 200_000
            heading = float(some.heading[i]) + float(some.turning[i]) * steps
            path = [float(some.speed[i]) * end * f(heading).mean() for f in (np.cos, np.sin)]
            center = some.centers(np.full((len(some), 1), end))[i, 0]
            np.testing.assert_allclose(center, np.array([some.x[i], some.y[i]]) + path, atol=1e-5)

    def test_pictures_are_the_law_pixel_by_pixel(self):
        some, times, size = storms(), np.array([-1500.0, 0.0, 2700.0]), 8
        made = render(some, np.broadcast_to(times, (5, 3)), size)
        chex.assert_shape(made, (5, 3, size, size, 1))
        for s in range(5):
            one = {f.name: float(getattr(some, f.name)[s]) for f in dataclasses.fields(some)}
            for k, t in enumerate(times):
                # ∫ speed e^{i (heading + turning s)} ds, as complex numbers
                way = (cmath.exp(1j * one["turning"] * t) - 1) / (1j * one["turning"])
                center = complex(one["x"], one["y"])
                center += one["speed"] * cmath.exp(1j * one["heading"]) * way
                power = math.exp(-(((t - one["peak_time"]) / one["lifetime"]) ** 2) / 2)
                for row in range(size):
                    for column in range(size):
                        pixel = complex(2 * column + 1, 2 * row + 1) / size - (1 + 1j)
                        level = level_at(pixel - center, t, power, one)
                        assert abs(int(made[s, k, row, column, 0]) - level) < 0.6

    def test_a_storm_is_the_same_at_any_size(self):
        some, times = storms(), np.zeros((5, 1))
        small, large = (render(some, times, size).astype(float) for size in (24, 96))
        pooled = large.reshape(5, 1, 24, 4, 24, 4, 1).mean((3, 5))
        assert np.abs(small - pooled).mean() < 1.5


def level_at(offset: complex, t: float, power: float, one: dict[str, float]) -> float:
    """Brightness at an offset from the centre, 0 .. 255."""
    r = abs(offset) / (one["radius"] * (0.6 + 0.4 * power))
    angle = cmath.phase(offset) - one["phase"] - one["rotation"] * t
    winding = math.copysign(one["pitch"], one["rotation"]) * math.log(r + 0.15)
    band = (1 + math.cos(one["arms"] * angle + winding)) / 2
    eye = 1 - power * math.exp(-((r / one["eye"]) ** 2))
    ring = math.exp(-r * r / 3) - math.exp(-3 * r * r)
    cloud = one["brightness"] * power * (0.8 * math.exp(-r * r) * eye + ring * band)
    light = 1 - math.exp(-max(cloud, 0))
    return 255 * (one["sea"] + (1 - one["sea"]) * light)


def test_examples():
    loaded = arrays(SMALL, "train")
    assert SMALL.spec == DataSpec(
        (3, 16, 16, 1),
        extras=(
            Extra("context", (4, 16, 16, 1), "uint8"),
            Extra("context_time", (4,)),
            Extra("time", (3,)),
        ),
    )
    chex.assert_shape(loaded["image"], (40, 3, 16, 16, 1))
    chex.assert_shape(loaded["context"], (40, 4, 16, 16, 1))
    assert loaded["image"].dtype == loaded["context"].dtype == np.uint8
    times = stamps(loaded)
    assert times.dtype == np.float32
    assert (loaded["context_time"][:, -1] == 0).all()
    gaps = np.diff(times)
    assert (gaps > 0).all()
    assert gaps.min() >= np.floor(0.2 * 1800)
    assert gaps.max() <= np.ceil(1.8 * 1800)
    assert gaps.std() > 600  # irregular: the wanted times differ from storm to storm
    regular = stamps(arrays(dataclasses.replace(SMALL, irregularity=0.0), "train"))
    np.testing.assert_array_equal(regular, np.broadcast_to(1800 * np.arange(-3, 4), (40, 7)))


def test_smooth_storms_stay_those_that_models_were_trained_on():
    loaded = SMALL.open("train").load(7, 8)
    times = [-5441, -2402, -1592, 0, 1448, 2536, 3828]
    np.testing.assert_array_equal(stamps(loaded)[0], times)
    levels = [[179, 161, 47], [167, 156, 116], [205, 193, 101], [191, 176, 69]]
    levels += [[115, 110, 158], [146, 122, 187], [180, 177, 159]]
    np.testing.assert_allclose(frames(loaded)[0, :, 5::4, 8, 0], levels, atol=1)


def test_the_truth_is_known_at_any_time():
    loaded = arrays(SMALL, "test")
    for index in (0, 5):
        truth = SMALL.truth("test", index, stamps(loaded)[index])
        np.testing.assert_array_equal(truth[0], frames(loaded)[index])
    both = SMALL.truth("test", np.array([5, 0]), stamps(loaded)[[5, 0]])
    np.testing.assert_array_equal(both, frames(loaded)[[5, 0]])
    between = SMALL.truth("test[2:]", np.array([3]), np.array([0.0, 100.0, 1e4]))
    np.testing.assert_array_equal(between[0, 0], loaded["context"][5, -1])
    assert 0 < np.abs(between[0, 1].astype(int) - between[0, 0]).mean() < 5
    assert np.abs(between[0, 2].astype(int) - between[0, 0]).mean() > 10


def test_the_wanted_time_matters():
    loaded = arrays(SyntheticStorms(num_test=60, kind="smooth"), "test")
    x, last = loaded["image"] / 255, loaded["context"][:, -1:] / 255
    persistence = ((x - last) ** 2).mean((0, 2, 3, 4))
    assert (np.diff(persistence) > 0).all()
    assert persistence[0] > 0.2 * x.var()
    assert persistence[2] > 0.7 * x.var()
    # The frame of another storm's wanted time is wrong, though the storm is right.
    source = SyntheticStorms(num_test=60, kind="smooth")
    other = source.truth("test", np.arange(60), np.roll(loaded["time"], 1, 0)) / 255
    assert ((x - other) ** 2).mean() > 0.1 * x.var()


def test_every_split_has_its_own_storms():
    train, test = arrays(SMALL, "train"), arrays(SMALL, "test")
    valid = arrays(SMALL, "valid")
    chex.assert_trees_all_equal(valid, arrays(SMALL, "validation"))
    firsts = [loaded["context"][:6, 0].reshape(6, -1) for loaded in (train, valid, test)]
    assert len(np.unique(np.concatenate(firsts), axis=0)) == 18
    fewer = arrays(dataclasses.replace(SMALL, num_train=10), "train")
    chex.assert_trees_all_equal(fewer, {k: v[:10] for k, v in train.items()})
    other = arrays(dataclasses.replace(SMALL, seed=1), "train")
    assert not (frames(other) == frames(train)).reshape(40, -1).all(1).any()
    part = arrays(SMALL, "train[5:7]+test[:1]")
    np.testing.assert_array_equal(part["image"][:2], train["image"][5:7])
    np.testing.assert_array_equal(part["image"][2:], test["image"][:1])


@pytest.mark.parametrize(("split", "scale"), [("test_double", 2.0), ("test_half", 0.5)])
def test_other_leads_of_the_same_storms(split, scale):
    test, other = arrays(SMALL, "test"), arrays(SMALL, split)
    for name in ("context", "context_time"):
        np.testing.assert_array_equal(other[name], test[name])
    np.testing.assert_allclose(other["time"], scale * test["time"])
    truth = SMALL.truth("test", np.arange(8), other["time"])
    np.testing.assert_array_equal(other["image"], truth)
    same = arrays(dataclasses.replace(SMALL, lead_scale=scale), "test")
    chex.assert_trees_all_equal(same, other)


def test_other_intervals_leave_the_storms_as_they_are():
    wide = dataclasses.replace(SMALL, interval_scale=2.0)
    loaded, other = arrays(SMALL, "test"), arrays(wide, "test")
    np.testing.assert_allclose(stamps(other), 2 * stamps(loaded), atol=7)  # whole seconds
    np.testing.assert_array_equal(other["context"][:, -1], loaded["context"][:, -1])
    truth = SMALL.truth("test", np.arange(8), stamps(other))
    np.testing.assert_array_equal(frames(other), truth)


def test_windows_of_one_storm():
    several = dataclasses.replace(SMALL, windows=3)
    loaded = arrays(several, "validation")
    assert len(loaded["image"]) == 18
    pictures, times = frames(loaded), stamps(loaded)
    for storm in range(6):
        first, second, third = pictures[3 * storm : 3 * storm + 3]
        np.testing.assert_array_equal(first[1:], second[:-1])
        np.testing.assert_array_equal(second[1:], third[:-1])
    np.testing.assert_allclose(np.diff(times[0])[1:], np.diff(times[1])[:-1])
    assert (loaded["context_time"][:, -1] == 0).all()
    truth = several.truth("validation", np.array([4]), times[4])
    np.testing.assert_array_equal(truth[0], pictures[4])


def test_as_the_data_of_an_experiment():
    data = Data(source=SMALL, train="train", valid="validation", test="test", batch_size=16)
    batch = data.open("train").batch_at(3)
    np.testing.assert_array_equal(batch["time"], arrays(SMALL, "train")["time"][batch["index"]])
    streamed = dataclasses.replace(data, device_budget_mib=0).open("train")
    chex.assert_trees_all_equal(streamed.batch_at(3), batch)
    assert "40 train / 6 validation / 8 test; 4 + 3 frames" in SMALL.summary()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"context": 0}, r"SyntheticStorms\.context must be greater than 0"),
        ({"irregularity": 1.0}, r"SyntheticStorms\.irregularity must be in \[0, 1\), not 1"),
        ({"frame_interval": -5.0}, r"SyntheticStorms\.frame_interval must be greater"),
        ({"lead_scale": 0.0}, r"SyntheticStorms\.lead_scale must be greater"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(ConfigError, match=message):
        SyntheticStorms(**fields)
    with pytest.raises(UserError, match="no split 'tset'"):
        SMALL.open("tset")
