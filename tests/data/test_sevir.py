import dataclasses
import shutil

import chex
import h5py
import numpy as np
import pytest

from gm_jax.data import Data, DataSpec, Extra, Sevir, write_synthetic_sevir
from gm_jax.data.sequences.sevir import RANGES, VIL_THRESHOLDS, to_levels
from gm_jax.data.store.name_splits import place_of
from gm_jax.errors import ConfigError, UserError

TYPES = ("vil", "vis", "ir069", "ir107")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two years' files of 6 + 4 events, 16x16, 9 frames."""
    path = tmp_path_factory.mktemp("sevir") / "data"
    write_synthetic_sevir(path, num_events=6, size=16, num_frames=9)
    write_synthetic_sevir(path / "more", num_events=4, size=16, num_frames=9, seed=1)
    return path


@pytest.fixture
def folder(written, tmp_path):
    """A copy to be spoilt."""
    return shutil.copytree(written, tmp_path / "data")


def stored(folder):
    """Every event as it is stored: id to type to [H, W, T]."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for path in folder.rglob("*.h5"):
        with h5py.File(path) as file:
            (name,) = set(file) - {"id"}
            for event, values in zip(file["id"][:], file[name][:], strict=True):
                found.setdefault(event.decode(), {})[name] = values
    return found


def file_of(folder, name):
    return folder / name / "2019" / f"SEVIR_{name.upper()}_STORMEVENTS_2019_0101_0630.h5"


def test_the_layout(written):
    with h5py.File(file_of(written, "vis")) as file:
        assert set(file) == {"id", "vis"}
        assert file["vis"].shape == (6, 16, 16, 9)
        assert file["vis"].dtype == np.int16
        orders = [file["id"][:].tolist()]
    for name, size, dtype in (
        ("ir069", 8, np.int16),
        ("ir107", 8, np.int16),
        ("vil", 16, np.uint8),
    ):
        with h5py.File(file_of(written, name)) as file:
            assert file[name].shape == (6, size, size, 9)
            assert file[name].dtype == dtype
            orders.append(file["id"][:].tolist())
    assert len({tuple(order) for order in orders}) > 1  # not row by row the same
    assert len({frozenset(order) for order in orders}) == 1
    # Where it rains clouds are bright and cold; bright ones without rain are warm.
    for event in stored(written).values():
        rain = event["vil"][::2, ::2] > 100
        bright = event["vis"][::2, ::2] > 5000
        assert bright[rain].mean() > 0.95
        assert event["ir107"][rain].max(initial=-9000) < event["ir107"].max()
    everything = stored(written).values()
    warm = [e["ir107"][(e["vis"] > 5000)[::2, ::2] & (e["vil"] == 0)[::2, ::2]] for e in everything]
    cold = [e["ir107"][(e["vil"] > 100)[::2, ::2]] for e in everything]
    assert np.concatenate(warm).mean() > np.concatenate(cold).mean() + 2000


def test_levels():
    for name, (low, high) in RANGES.items():
        values = np.array([[low, high], [low - 1000, high + 1000]])
        np.testing.assert_array_equal(to_levels(values, name, 2)[..., 0], [[0, 255], [0, 255]])
    levels = np.arange(256).reshape(16, 16).astype(np.uint8)
    np.testing.assert_array_equal(to_levels(levels, "vil", 16)[..., 0], levels)
    levels[:4, :8] = 255  # not measured: two blocks as a whole
    levels[5, 5] = 255
    pooled = to_levels(levels, "vil", 4)[..., 0]
    for i in range(4):
        for j in range(4):
            block = levels[4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
            measured = block[block != 255]
            if not len(measured):
                assert pooled[i, j] == 255
                continue
            assert abs(int(pooled[i, j]) - measured.mean()) <= 0.5
    # Elsewhere 255 is a level as others are.
    assert to_levels(np.full((4, 4), 10_000), "vis", 2).tolist() == [[[255]] * 2] * 2


@pytest.mark.parametrize("size", [None, 8])
def test_translate(written, size):
    source = Sevir(written, size=size, stride=4)
    s = size or 16
    assert source.spec == DataSpec(
        (s, s, 1),
        extras=(
            Extra("vis", (s, s, 1), "uint8"),
            Extra("ir069", (s // 2, s // 2, 1), "uint8"),
            Extra("ir107", (s // 2, s // 2, 1), "uint8"),
        ),
        thresholds=VIL_THRESHOLDS,
        missing=255,
    )
    examples = source.open("all")
    assert len(examples) == 10 * 3  # frames 0, 4, 8
    events = stored(written)
    loaded = examples.load_all()
    for n, (event, frame) in enumerate(examples._found):
        for name in TYPES:
            side = s // 2 if name.startswith("ir") else s
            expected = to_levels(events[event][name][..., frame], name, side)
            np.testing.assert_array_equal(loaded["image" if name == "vil" else name][n], expected)
    assert len(set(examples._found)) == 30
    np.testing.assert_array_equal(examples[17]["vis"], loaded["vis"][17])
    assert f"10 events of SEVIR, {s}x{s}x1; " in source.summary()


def test_a_larger_vis_is_shrunk(folder):
    """The published files have vis at 768x768."""
    with h5py.File(file_of(folder, "vis"), "r+") as file:
        large = file["vis"][:].repeat(2, 1).repeat(2, 2)
        del file["vis"]
        file["vis"] = large
    shutil.rmtree(folder / "more")
    source = Sevir(folder)
    assert source.spec.extras[0].shape == (16, 16, 1)
    events = stored(folder)
    examples = source.open("all")
    event, frame = examples._found[2]
    expected = to_levels(events[event]["vis"][::2, ::2, frame], "vis", 16)
    np.testing.assert_array_equal(examples[2]["vis"], expected)


def test_forecast(written):
    source = Sevir(written, task="forecast", context=3, targets=2, stride=2, size=8)
    assert source.spec.shape == (2, 8, 8, 1)
    assert [extra.name for extra in source.spec.extras] == ["context", "context_time", "time"]
    examples = source.open("all")
    assert len(examples) == 10 * 3  # beginning at 0, 2, 4
    assert [*np.unique(examples.groups(), return_counts=True)[1]] == 10 * [3]
    loaded, events = examples.load_all(), stored(written)
    np.testing.assert_array_equal(loaded["context_time"], np.tile([-600.0, -300, 0], (30, 1)))
    np.testing.assert_array_equal(loaded["time"], np.tile([300.0, 600], (30, 1)))
    for n, (event, start) in enumerate(examples._found):
        frames = np.moveaxis(events[event]["vil"][..., start : start + 5], -1, 0)
        expected = to_levels(frames, "vil", 8)
        np.testing.assert_array_equal(loaded["context"][n], expected[:3])
        np.testing.assert_array_equal(loaded["image"][n], expected[3:])


def test_what_the_radar_did_not_measure(folder):
    """It is no rain to forecast from, and nothing to be held against."""
    shutil.rmtree(folder / "more")
    with h5py.File(file_of(folder, "vil"), "r+") as file:
        assert file["vil"][:].max() <= 254
        values = file["vil"][:]
        values[:, :4] = 255
        file["vil"][:] = values
    source = Sevir(folder, task="forecast", context=3, targets=2)
    loaded = source.open("all").load_all()
    assert source.spec.missing == 255
    assert (loaded["image"][:, :, :4] == 255).all()
    assert not loaded["context"][:, :, :4].any()
    assert loaded["context"].max() > 0
    seen = source.spec.seen(loaded["image"])
    np.testing.assert_array_equal(seen[0, 0, :, 0, 0], np.arange(16) >= 4)


def test_forecast_needs_vil_alone(folder):
    for name in ("vis", "ir069", "ir107"):
        shutil.rmtree(folder / name)
    shutil.rmtree(folder / "more")
    assert len(Sevir(folder, task="forecast", context=3, targets=2).open("all")) == 6


def test_events_lie_in_one_split(written):
    source = Sevir(written, valid_fraction=0.2, test_fraction=0.3, stride=2)
    found = {s: {e for e, _ in source.open(s)._found} for s in ("train", "validation", "test")}
    assert sum(map(len, found.values())) == 10
    assert set.union(*found.values()) == set(stored(written))
    assert all(place_of(event) < 0.3 for event in found["test"]) or len(found["test"]) == 1
    assert len(source.open("valid")) == 5 * len(found["validation"])


def test_batches_are_the_same_streamed(written):
    data = Data(source=Sevir(written, stride=4), train="all", valid=None, batch_size=4)
    resident = data.open("train")
    streamed = dataclasses.replace(data, device_budget_mib=0, num_threads=2).open("train")
    for a, b in zip(resident.stream(0, 4), streamed.stream(0, 4), strict=True):
        chex.assert_trees_all_equal(a, b)


def truncate(folder):
    path = file_of(folder, "ir069")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_ids(folder):
    shutil.rmtree(folder / "more")
    with h5py.File(file_of(folder, "vil"), "r+") as file:
        file["id"][:] = [b"X%05d" % n for n in range(6)]


def without_ids(folder):
    with h5py.File(file_of(folder, "vil"), "r+") as file:
        del file["id"]


def flat(folder):
    with h5py.File(file_of(folder, "vil"), "r+") as file:
        values = file["vil"][..., 0]
        del file["vil"]
        file["vil"] = values


def another_size(folder):
    write_synthetic_sevir(folder / "more", num_events=2, size=32, num_frames=9, seed=2)


def another_length(folder):
    shutil.rmtree(folder / "more")
    with h5py.File(file_of(folder, "vis"), "r+") as file:
        values = file["vis"][..., :7]
        del file["vis"]
        file["vis"] = values


BAD = {
    "truncated": (truncate, r"SEVIR_IR069_.*\.h5 cannot be read .* truncated or no HDF5 file"),
    "no hdf5": (
        lambda f: file_of(f, "vis").write_bytes(b"nothing"),
        r"SEVIR_VIS_.*\.h5 cannot be read .* no HDF5 file; copy it again",
    ),
    "missing type": (
        lambda f: [p.unlink() for p in f.rglob("*IR107*.h5")],
        r"has no ir107 \(it has ir069, vil, vis\): vil, vis, ir069, ir107 are needed",
    ),
    "nothing in common": (other_ids, "no event in common to vil, vis, ir069, ir107"),
    "no ids": (
        without_ids,
        r"SEVIR_VIL_.* not laid out as SEVIR's: vil \[6, 16, 16, 9\] beside no id",
    ),
    "flat": (flat, r"vil \[6, 16, 16\] beside 6 ids, not \[K, H, W, T\]"),
    "another size": (
        another_size,
        r"ir069 in .* is \[16, 16, 9\], and in another file \[8, 8, 9\]",
    ),
    "another length": (another_length, "differ in their number of frames: vil has 9, vis has 7"),
    "empty": (lambda f: [p.unlink() for p in f.rglob("*.h5")], r"holds no SEVIR files: no file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(folder, case):
    spoil, message = BAD[case]
    spoil(folder)
    with pytest.raises(UserError, match=message) as error:
        Sevir(folder).open("train").load_all()
    assert "\n" not in str(error.value)


def test_doubled_ids_are_left_out(folder):
    shutil.rmtree(folder / "more")
    with h5py.File(file_of(folder, "vil"), "r+") as file:
        ids = file["id"][:]
        ids[3] = ids[0]
        file["id"][:] = ids
    assert len({event for event, _ in Sevir(folder).open("all")._found}) == 4


def test_bad_fields(written):
    with pytest.raises(ConfigError, match=r"Sevir\.task must be one of"):
        Sevir(written, task="paint")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"Sevir\.stride must be greater than 0"):
        Sevir(written, stride=0)
    with pytest.raises(UserError, match=r"size 6 does not fit vil .* whole fraction of that"):
        _ = Sevir(written, size=6).spec
    with pytest.raises(UserError, match=r"size 32 does not fit vil"):
        _ = Sevir(written, size=32).spec
    with pytest.raises(UserError, match=r"size 1 does not fit ir069 .* half of it has"):
        _ = Sevir(written, size=1).spec
    with pytest.raises(UserError, match=r"has 9 frames, but a forecast takes 13 \+ 12: take fewer"):
        Sevir(written, task="forecast").open("train")
    with pytest.raises(UserError, match="there is no folder"):
        _ = Sevir(written / "nowhere").spec
    with pytest.raises(UserError, match="is no folder"):
        _ = Sevir(file_of(written, "vil")).spec
