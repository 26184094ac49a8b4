import dataclasses
import json
import shutil

import chex
import numpy as np
import pytest
from PIL import Image

from gm_jax.data import Cut, Data, DataSpec, Extra, Storms, read_storms
from gm_jax.data.store.name_splits import place_of
from gm_jax.errors import ConfigError, UserError

WINDOW = {"context": 2, "targets": 2}


def write_frame(folder, storm, number, time, wind=None, size=(12, 10), storm_id=None, level=None):
    """A frame as a user would have it, [H, W] = size; its level says its number."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.full(size, 10 * number if level is None else level, np.uint8)
    pixels[: size[0] // 2] += 5
    Image.fromarray(pixels).save(folder / f"{storm}_{number:03d}.jpg", quality=95)
    features = {"relative_time": time, "ocean": "1"}
    if storm_id is not None:
        features["storm_id"] = storm_id
    (folder / f"{storm}_{number:03d}_features.json").write_text(json.dumps(features))
    if wind is not None:
        label = {"wind_speed": wind}
        (folder / f"{storm}_{number:03d}_label.json").write_text(json.dumps(label))


def write_storm(folder, storm, times, winds=None, **kwargs):
    for number, time in enumerate(times):
        wind = None if winds is None else winds[number]
        write_frame(folder, storm, number, time, wind, **kwargs)


def pixels_of(path, channels=1):
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


@pytest.fixture
def folder(no_data):
    """One storm of seven frames whose names are not in the order of their times."""
    path = no_data / "storms"
    # Text and numbers, whole seconds and not; 004 is first.
    write_storm(
        path,
        "abc",
        ["1800", 3600.5, "5400", 9000, "0", "12600.0", 14400],
        ["31", 32.0, 33, "36", 30, "38", 40],
    )
    return path


ORDER = [4, 0, 1, 2, 3, 5, 6]
TIMES = np.array([0, 1800, 3600.5, 5400, 9000, 12600, 14400])


def test_windows_sorted_by_time(folder):
    source = Storms(folder, **WINDOW)
    frames = [pixels_of(folder / f"abc_{n:03d}.jpg") for n in ORDER]
    assert source.spec == DataSpec(
        (2, 12, 10, 1),
        extras=(
            Extra("context", (2, 12, 10, 1), "uint8"),
            Extra("context_time", (2,)),
            Extra("time", (2,)),
            Extra("wind_speed", (2,)),
        ),
    )
    loaded = source.open("test").load_all()
    chex.assert_shape(loaded["image"], (4, 2, 12, 10, 1))
    winds = [30, 31, 32, 33, 36]
    for start in range(4):
        np.testing.assert_array_equal(loaded["context"][start], frames[start : start + 2])
        np.testing.assert_array_equal(loaded["image"][start], frames[start + 2 : start + 4])
        since = TIMES - TIMES[start + 1]
        np.testing.assert_allclose(loaded["context_time"][start], since[start : start + 2])
        np.testing.assert_allclose(loaded["time"][start], since[start + 2 : start + 4])
        np.testing.assert_array_equal(loaded["wind_speed"][start], winds[start : start + 2])
    assert {name: a.dtype.name for name, a in loaded.items()} == {
        "image": "uint8",
        "context": "uint8",
        "context_time": "float32",
        "time": "float32",
        "wind_speed": "float32",
    }
    # One storm alone is there to be tested on.
    chex.assert_trees_all_equal(source.open("all").load_all(), loaded)
    with pytest.raises(UserError, match=r"no split 'train'; the splits are test \(4\)"):
        source.open("train")
    strided = Storms(folder, **WINDOW, stride=2).open("all").load_all()
    chex.assert_trees_all_equal(strided, {k: v[::2] for k, v in loaded.items()})
    assert source.summary().endswith(
        "1 storm, 7 frames of 10x12, 1,800.25 s apart (1,799.5 to 3,600); windows of 2 + 2: 4 test"
    )


def test_batches_are_the_same_streamed(folder):
    data = Data(source=Storms(folder, **WINDOW), train="all", valid=None, batch_size=3)
    resident = data.open("train")
    streamed = dataclasses.replace(data, device_budget_mib=0).open("train")
    assert resident.resident
    assert not streamed.resident
    for a, b in zip(resident.stream(0, 3), streamed.stream(0, 3), strict=True):
        chex.assert_trees_all_equal(a, b)
    assert resident.batch_at(0).keys() >= {"context", "context_time", "time", "wind_speed"}


def test_split_by_storm(no_data):
    path, names = no_data / "storms", [f"s{i:02d}" for i in range(16)]
    for i, name in enumerate(names):
        # Some together, some in folders of their own.
        write_storm(path if i % 2 else path / name, name, range(0, 600, 100), level=10 * i)
    source = Storms(path, **WINDOW, valid_fraction=0.2, test_fraction=0.3)
    # One in a folder of its own has the folder in its name: two may hold storms of one name.
    ids = {f"s{i:02d}" if i % 2 else f"s{i:02d}/s{i:02d}": 10 * i for i in range(16)}

    def storms_of(split):
        loaded = source.open(split).load_all()
        upper = np.concatenate([loaded["context"], loaded["image"]], 1)[:, :, 0, 0, 0] - 5.0
        level = np.rint(upper.mean(1) / 10) * 10
        assert np.abs(upper - level[:, None]).max() <= 2  # a window has one storm's frames only
        assert set(np.unique(level, return_counts=True)[1]) == {3}  # and all windows of it
        groups = source.open(split).groups()
        assert len({*zip(groups, level, strict=True)}) == len({*groups}) == len({*level})
        return {storm for storm, value in ids.items() if value in level}

    found = {split: storms_of(split) for split in ("train", "validation", "test")}
    assert sum(map(len, found.values())) == 16
    assert set.union(*found.values()) == storms_of("all") == set(ids)
    assert {name for name in ids if place_of(name) < 0.3} <= found["test"]
    assert all(place_of(name) >= 0.5 for name in found["train"])
    assert source.open("valid[:2]").load_all()["image"].shape[0] == 2
    assert all(extra.name != "wind_speed" for extra in source.spec.extras)
    before = found["test"]
    write_storm(path, "new", range(0, 600, 100), level=200)
    ids["new"] = 200
    assert before <= storms_of("test")


def test_two_storms(folder):
    write_storm(folder, "xyz", range(0, 500, 100))
    sizes = {s: len(Storms(folder, **WINDOW).open(s)) for s in ("train", "test", "all")}
    assert sizes["train"] + sizes["test"] == sizes["all"] == 6
    with pytest.raises(UserError, match="no split 'validation'"):
        Storms(folder, **WINDOW).open("validation")


def test_the_id_in_the_features_counts(no_data):
    path = no_data / "storms"
    for number, time in enumerate((0, 100, 200, 300)):
        write_frame(path / f"part{number % 2}", "x", number, time, storm_id=7)
    loaded = Storms(path, **WINDOW).open("all").load_all()
    np.testing.assert_array_equal(loaded["time"], [[100, 200]])
    (path / "part0" / "x_000.jpg").rename(path / "part0" / "noon.jpg")
    (path / "part0" / "x_000_features.json").rename(path / "part0" / "noon_features.json")
    assert len(Storms(path, **WINDOW).open("all")) == 1


def test_winds_between_labels_and_storms_without(folder):
    for number in (0, 2, 3):
        (folder / f"abc_{number:03d}_label.json").unlink()
    loaded = Storms(folder, **WINDOW).open("all").load_all()
    # Known at 0 s (30), 3600.5 s (32), 12600 s (38).
    expected = np.interp(TIMES, [0, 3600.5, 12600, 14400], [30, 32, 38, 40])
    np.testing.assert_allclose(loaded["wind_speed"][:, 0], expected[:4], rtol=1e-6)
    write_storm(folder, "xyz", range(0, 500, 100))
    assert all(extra.name != "wind_speed" for extra in Storms(folder, **WINDOW).spec.extras)
    assert "wind_speed" not in Storms(folder, **WINDOW).open("all").load_all()


@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_crop(folder, channels):
    rng = np.random.default_rng(0)
    for number in range(7):
        colours = rng.integers(0, 256, (12 + number, 10, 3), np.uint8)  # of several heights
        Image.fromarray(colours).save(folder / f"abc_{number:03d}.jpg", quality=90)
    made = Storms(folder, **WINDOW, size=4, crop=8, channels=channels).open("all").load_all()
    chex.assert_shape(made["image"], (4, 2, 4, 4, channels))
    with Image.open(folder / "abc_002.jpg") as file:  # 14 rows: 3 above
        image = file.convert("L" if channels == 1 else "RGB").crop((1, 3, 9, 11))
    expected = np.asarray(image.resize((4, 4), Image.Resampling.BILINEAR)).reshape(4, 4, channels)
    np.testing.assert_array_equal(made["image"][1, 0], expected)
    # Without a crop the largest square is taken; with a crop alone nothing is resized.
    whole = Storms(folder, **WINDOW, size=5, channels=channels).open("all").load_all()
    chex.assert_shape(whole["context"], (4, 2, 5, 5, channels))
    kept = Storms(folder, **WINDOW, crop=6, channels=channels).open("all").load_all()
    np.testing.assert_array_equal(
        kept["context"][0, 0], pixels_of(folder / "abc_004.jpg", channels)[5:11, 2:8]
    )


def test_prepared_once_and_anew_when_the_files_change(folder, monkeypatch):
    source = Storms(folder, **WINDOW)
    first = source.open("all")
    prepared = list((folder.parent / ".gm_jax" / "storms").iterdir())
    assert len(prepared) == 1
    with monkeypatch.context() as patch:
        patch.setattr("gm_jax.data.sequences.storms.prepare_storms", None)
        assert len(Storms(folder, context=3, targets=1).open("all")) == 4  # other windows of them
    features = folder / "abc_006_features.json"
    features.write_text(json.dumps({"relative_time": 20000}))
    second = source.open("all")
    assert second[3]["time"][1] == 20000 - 9000
    assert first[3]["time"][1] == 14400 - 9000  # what is being read stays
    assert first.fingerprint != second.fingerprint
    del first
    features.write_text(json.dumps({"relative_time": 20001}))
    third = source.open("all")
    assert len(third) == 4
    assert prepared[0] not in list((folder.parent / ".gm_jax" / "storms").iterdir())


def test_a_damaged_preparation(folder):
    source = Storms(folder, **WINDOW)
    source.open("all")
    (prepared,) = (folder.parent / ".gm_jax" / "storms").iterdir()
    records = prepared / "frames.array_record"
    records.write_bytes(records.read_bytes()[:100])
    with pytest.raises(UserError, match=r"is damaged .* delete that folder") as error:
        source.open("all").load_all()
    assert "\n" not in str(error.value)


def test_frames_for_a_look(folder):
    (storm,) = read_storms(folder, Cut(size=6))
    assert storm.id == "abc"
    np.testing.assert_allclose(storm.times, TIMES)
    made = Storms(folder, **WINDOW, size=6).open("all").load_all()
    np.testing.assert_array_equal(storm.frames[:2], made["context"][0])
    np.testing.assert_array_equal(storm.frames[2:4], made["image"][0])


def test_a_real_storm(real_data, no_data):
    if not (real_data / "images" / "storm_tst").is_dir():
        pytest.skip(f"real data: {real_data}/images has no storm_tst")
    path = no_data / "storm_tst"
    shutil.copytree(real_data / "images" / "storm_tst", path)
    loaded = Storms(path, size=32).open("test").load_all()
    chex.assert_shape(loaded["image"], (15, 3, 32, 32, 1))
    times = np.concatenate([loaded["context_time"], loaded["time"]], 1)
    assert (np.diff(times) > 1700).all()
    assert (times[-1, -1] - times[0, 0] + times[0, 3]) < 43199
    gaps = np.diff(times).ravel()
    assert (gaps > 3500).any()  # four gaps are twice as long
    assert loaded["wind_speed"].min() == 31
    assert 100 < loaded["image"].mean() < 200


def remove_times(folder):
    (folder / "abc_003_features.json").write_text(json.dumps({"storm_id": "abc"}))


def only(folder, *numbers):
    for path in folder.iterdir():
        if int(path.name.split("_")[1][:3]) not in numbers:
            path.unlink()


def set_time(folder, time):
    (folder / "abc_003_features.json").write_text(json.dumps({"relative_time": time}))


BAD = {
    "missing json": (
        lambda f: (f / "abc_003_features.json").unlink(),
        r"abc_003\.jpg has no abc_003_features\.json beside it",
    ),
    "doubled times": (
        lambda f: set_time(f, "1800.0"),
        r"storm abc .* two frames at 1800 s, abc_000\.jpg and abc_003\.jpg",
    ),
    "one frame": (lambda f: only(f, 2), r"storm abc .* 1 frame, but a window takes 2 \+ 2"),
    "too short": (lambda f: only(f, 1, 2, 3), r"storm abc .* 3 frames, but a window takes 2 \+ 2"),
    "no time": (remove_times, r"abc_003_features\.json has no relative_time"),
    "text": (lambda f: set_time(f, "soon"), r"relative_time in .*abc_003.* is 'soon', .* seconds"),
    "nan": (lambda f: set_time(f, "nan"), r"relative_time in .* is 'nan', which is no number"),
    "flag": (lambda f: set_time(f, True), r"relative_time in .* is True, which is no number"),
    "no json": (
        lambda f: (f / "abc_001_features.json").write_text("{"),
        r"abc_001_features\.json cannot be read: it is no JSON",
    ),
    "no object": (
        lambda f: (f / "abc_001_features.json").write_text("[1]"),
        r"abc_001_features\.json has to hold one JSON object",
    ),
    "wind": (
        lambda f: (f / "abc_001_label.json").write_text('{"wind_speed": "strong"}'),
        r"wind_speed in .*abc_001_label\.json is 'strong', which is no number of knots",
    ),
    "mixed sizes": (
        lambda f: write_frame(f, "abc", 3, 9000, size=(12, 11)),
        r"differ in size: .*abc_004\.jpg is 10x12, .*abc_003\.jpg is 11x12; give a size",
    ),
    "unreadable": (
        lambda f: (f / "abc_005.jpg").write_bytes(b"nothing"),
        r"abc_005\.jpg cannot be read \(it is no image\)",
    ),
    "truncated": (
        lambda f: (f / "abc_005.jpg").write_bytes((f / "abc_005.jpg").read_bytes()[:300]),
        r"abc_005\.jpg cannot be read",
    ),
    "empty": (lambda f: only(f), r"storms holds no storms: there is no <storm>_<NNN>\.jpg"),
    "no storm": (
        lambda f: [p.rename(f / p.name.replace("_001", "")) for p in f.glob("abc_001*")],
        r"abc\.jpg belongs to no storm: name it <storm>_<NNN>\.jpg",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(folder, case):
    spoil, message = BAD[case]
    spoil(folder)
    with pytest.raises(UserError, match=message) as error:
        Storms(folder, **WINDOW).open("test")
    assert "\n" not in str(error.value)
    if case not in ("one frame", "too short"):  # a forecast starts from as few frames as there are
        with pytest.raises(UserError, match=message):
            read_storms(folder)
    left = folder.parent / ".gm_jax" / "storms"
    assert not left.exists() or not list(left.iterdir())  # nothing half made


def test_short_storms_may_be_left_out(folder):
    write_storm(folder, "xyz", (0, 100, 200))
    with pytest.raises(UserError, match=r"storm xyz .* 3 frames, .* short skip"):
        Storms(folder, **WINDOW).open("all")
    source = Storms(folder, **WINDOW, short="skip")
    assert len(source.open("all")) == len(source.open("test")) == 4
    with pytest.raises(UserError, match=r"a window takes 8 \+ 2: take fewer$"):
        Storms(folder, context=8, targets=2, short="skip").open("all")


def test_bad_fields(folder):
    with pytest.raises(ConfigError, match=r"Storms\.targets must be greater than 0"):
        Storms(folder, targets=0)
    with pytest.raises(ConfigError, match=r"Storms\.channels must be one of"):
        Storms(folder, channels=2)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must sum to less than 1"):
        Storms(folder, valid_fraction=0.5, test_fraction=0.5)
    with pytest.raises(UserError, match=r"crop 11 is larger than .*abc_004\.jpg, 10x12"):
        Storms(folder, **WINDOW, crop=11).open("all")
    with pytest.raises(UserError, match="there is no folder"):
        Storms(folder / "nowhere").open("all")
    with pytest.raises(UserError, match="is no folder"):
        Storms(folder / "abc_000.jpg").open("all")
