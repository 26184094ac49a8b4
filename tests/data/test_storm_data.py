"""Storms as the data of an experiment, and their splits by time."""

import json
from pathlib import Path

import chex
import numpy as np
import pytest
from PIL import Image

from gm_jax import cli
from gm_jax.data import StormData, Storms, SyntheticStorms
from gm_jax.data.sequences.storm_splits import TimeSplit
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment_file import choose, find_experiments, load
from gm_jax.experiment_json import from_plain, to_plain

EXPERIMENTS = [file.name for file in choose(find_experiments(), "storms")]


def write_storm(folder, storm, times, winds=None):
    """Frames of 12x10; a frame's level is ten times its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, time in enumerate(times):
        stem = folder / f"{storm}_{number:03d}"
        Image.fromarray(np.full((12, 10), 10 * number, np.uint8)).save(f"{stem}.png")
        features = {"relative_time": str(time), "ocean": "1"}
        Path(f"{stem}_features.json").write_text(json.dumps(features))
        if winds is not None:
            Path(f"{stem}_label.json").write_text(json.dumps({"wind_speed": winds[number]}))


@pytest.fixture
def one(no_data):
    """A storm of 21 frames, half an hour apart."""
    write_storm(no_data / "one", "abc", range(0, 21 * 1800, 1800), winds=range(30, 51))
    return no_data / "one"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_of_storms_has_the_door(name, one):
    data = load(name).data
    assert data == StormData(size=64, batch_size=data.batch_size)
    assert data.source == SyntheticStorms(size=64)
    assert load(name).evaluation.checkpoint == "best"
    own = load(name).replace(**{"data.path": str(one), "data.size": 8})
    chex.assert_shape(own.data.open("train").batch_at(0)["image"], (data.batch_size, 3, 8, 8, 1))


def test_the_source_is_what_the_fields_say(one):
    assert StormData(
        size=16, context=2, targets=5, synthetic=SyntheticStorms(num_train=7, context=2)
    ).source == SyntheticStorms(size=16, context=2, targets=5, num_train=7)
    data = StormData(one, (6, 8), context=2, split="time", gap=3, crop=9, conditions=("ocean",))
    assert data.source == Storms(
        one, context=2, size=(6, 8), split="time", gap=3, crop=9, conditions=("ocean",)
    )
    assert data.spec.shape == (3, 6, 8, 1)
    assert StormData(one, (8, 8)).source == StormData(one, 8).source
    assert from_plain(to_plain(data)) == data


@pytest.mark.parametrize("context", [1, 3])
@pytest.mark.parametrize("gap", [0, 2, 5])
@pytest.mark.parametrize("fractions", [(0.1, 0.1), (0.0, 0.3), (0.25, 0.0)])
def test_no_frame_is_in_two_splits(context, gap, fractions):
    """For every length, against a list of all windows there are."""
    cut, targets = TimeSplit(context, 2, gap, *fractions), 2
    wanted_splits = {
        "train",
        *(s for s, f in zip(("validation", "test"), fractions, strict=True) if f),
    }
    for length in range(1, 60):
        parts = cut.parts(length)
        assert set(parts) == wanted_splits
        if not cut.fits(length):
            assert len(parts["train"]) < context + targets
            continue
        assert parts["train"].start == 0
        assert [*parts.values()][-1].stop == length
        for before, after in zip([*parts.values()], [*parts.values()][1:], strict=False):
            assert after.start - before.stop == gap
        for name, fraction in zip(("validation", "test"), fractions, strict=True):
            if fraction and round(fraction * length) >= context + targets:
                assert len(parts[name]) == round(fraction * length)
        used = {}
        for name, starts in cut.starts(length, 1).items():
            frames = [
                (range(s, s + context), range(s + context, s + 4 + context - 2)) for s in starts
            ]
            assert frames  # a window at least
            used[name] = {f for known, wanted in frames for f in (*known, *wanted)}
            low = parts[name].start - (0 if name == "train" else gap)
            expected = [
                s
                for s in range(length - context - targets + 1)
                if s >= low
                and s + context >= parts[name].start
                and s + context + targets <= parts[name].stop
            ]
            assert list(starts) == expected
        names = list(used)
        for i, name in enumerate(names):
            assert all(not used[name] & used[other] for other in names[i + 1 :])
        assert not set(parts["train"]) & set().union(*(used[n] for n in names if n != "train"))


def test_wanted_frames_among_the_last_six(one):
    """11 frames to learn from, and 4 windows whose wanted frames are the last 6."""
    flags = {"split": "time", "valid_fraction": 0.0, "test_fraction": 0.3, "gap": 4}
    data = StormData(one, 8, valid=None, **flags)
    test = data.source.open("test").load_all()
    levels = test["image"][:, :, 0, 0, 0]
    np.testing.assert_array_equal(levels / 10, [[15 + i, 16 + i, 17 + i] for i in range(4)])
    assert test["context"].min() == 110
    train = data.source.open("train").load_all()
    assert len(train["image"]) == 5
    assert train["image"].max() == 100
    assert data.source.summary().endswith(
        "one: 1 storm, 21 frames of 8x8, 1,800 s apart; windows of 4 + 3: 5 train / 4 test, "
        "split by time with 4 frames between"
    )


def test_few_storms_are_split_by_time_unless_asked(one, no_data):
    sizes = {s: len(StormData(one, 8).source.open(s)) for s in ("train", "validation", "test")}
    assert sizes == {"train": 1, "validation": 1, "test": 1}
    with pytest.raises(UserError, match=r"no split 'train'; .*; 1 storm gives no more") as error:
        StormData(one, 8, split="storm").source.open("train")
    assert error.value.option == "--data.split time"
    write_storm(one, "bea", range(0, 2100, 100))
    write_storm(one, "cat", range(0, 800, 100))
    by_storm = StormData(one, 8).source
    assert "split by time" not in by_storm.summary()
    assert "3 storms, 50 frames of 8x8, 100 s apart (100 to 1,800); windows" in by_storm.summary()
    # By time each storm is cut; one that is too short for that is said or left out.
    with pytest.raises(UserError, match=r"storm cat .* has 8 frames, of which 0 are left to train"):
        StormData(one, 8, split="time").source.open("train")
    cut = StormData(one, 8, split="time", short="skip").source
    assert "2 storms (1 too short, left out), 42 frames" in cut.summary()
    assert len(cut.open("all")) == 6


def test_conditions(one):
    data = StormData(one, 8, conditions=("ocean", "wind_speed"))
    assert [e.name for e in data.spec.conditions] == ["wind_speed", "ocean"]
    (example,) = data.source.open("train")
    np.testing.assert_array_equal(example["wind_speed"], [30, 31, 32, 33])
    assert example["ocean"] == 1
    assert not StormData(one, 8).spec.conditions
    batch = data.open("train").batch_at(0)
    assert (batch["ocean"].dtype, batch["ocean"].shape) == (np.int32, (128,))


def test_conditions_that_labels_lack(one):
    (one / "abc_003_features.json").write_text('{"relative_time": 5400, "ocean": "deep"}')
    with pytest.raises(UserError, match=r"abc_003\.png in .* has no ocean, a whole number 0 to 9"):
        _ = StormData(one, 8, conditions=("ocean",)).spec
    for path in one.glob("*_label.json"):
        path.unlink()
    with pytest.raises(UserError, match=r"storm abc in .* has no wind_speed in any _label\.json"):
        _ = StormData(one, 8, conditions=("wind_speed",)).spec


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": (32, 48)}, "size 32 48 is for a folder, and synthetic storms are square"),
        ({"size": None}, "size None is for a folder"),
        ({"conditions": ("ocean",)}, "conditions ocean: synthetic storms have none"),
        ({"synthetic": SyntheticStorms(size=64)}, "synthetic.size 64 would not count: give StormD"),
        ({"gap": 3, "split": "storm"}, "gap 3 is for splits by time, and split is storm"),
        ({"path": "x", "conditions": ("ocean", "ocean")}, "conditions names one twice"),
        ({"valid_fraction": 0.5, "test_fraction": 0.5}, "must sum to less than 1"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        StormData(**fields)
    assert "\n" not in str(error.value)


WRONG = {
    "path": ("nowhere", "one/abc_000.png", "cache"),
    "size": ("0", "-8", "big"),
    "crop": ("0", "11 x", "40"),
    "channels": ("2", "grey", "0"),
    "context": ("0", "-1", "18"),
    "targets": ("0", "1.5", "18"),
    "stride": ("0", "-2", "x"),
    "split": ("frame", "Time", "0"),
    "gap": ("-1", "x", "9"),
    "valid-fraction": ("1", "-0.1", "0.95"),
    "test-fraction": ("1", "-0.1", "0.95"),
    "short": ("leave", "yes", "0"),
    "conditions": ("wind", "ocean wind", "lat"),
    "synthetic.num-train": ("0", "-1", "x"),
}


@pytest.mark.parametrize("flag", WRONG)
def test_wrong_values_of_each_flag(flag, one, monkeypatch, capsys):
    """One line and exit code 2."""
    monkeypatch.chdir(one.parent)
    for value in WRONG[flag]:
        path = "" if flag == "path" or flag.startswith("synthetic") else "--data.path one "
        size = "" if flag == "size" else "--data.size 8 "
        typed = f"train storms/unet_attention {path}{size}--data.{flag} {value} --run r"
        with pytest.raises(SystemExit) as stop:
            cli.main(typed.split())
        assert stop.value.code == 2, typed
        assert len(capsys.readouterr().err.strip().splitlines()) == 1, typed
