"""Arrays of one's own: what is found in a file, what becomes of values and labels, and splits."""

import contextlib
import os
import pickle
import zipfile
from pathlib import Path

import chex
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gm_jax.data import ArrayData, Arrays, Digits
from gm_jax.data.arrays.files import read_arrays
from gm_jax.data.arrays.levels import choose_quantizer
from gm_jax.data.store.row_splits import split_rows
from gm_jax.errors import ConfigError, UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 6, 7, 5), dtype=np.uint8)
LABELS = RNG.permutation(np.arange(40) % 3)
SPLITS = ("train", "validation", "test")


def saved(folder, name="my.npz", **arrays):
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, arrays["images"])
    else:
        np.savez(path, **arrays)
    return path


def everything(source, split):
    """The images [N, H, W, C] and the labels of a split, or None."""
    arrays = source.open(split).load_all()
    return arrays["image"], arrays.get("label")


# --- What is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["my.npy", "my.npz"])
def test_every_image_is_in_one_split_as_it_was(tmp_path, name):
    source = Arrays(saved(tmp_path, name, images=IMAGES))
    assert source.spec.shape == (6, 7, 5)
    assert (source.spec.num_levels, source.spec.num_classes) == (256, None)
    found = np.concatenate([everything(source, split)[0] for split in SPLITS])
    assert found.dtype == np.uint8

    def multiset(images):
        return sorted(image.tobytes() for image in images)

    assert multiset(found) == multiset(IMAGES)
    assert [len(source.open(split)) > 0 for split in SPLITS] == [True] * 3


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("images", "labels"),
    [("images", "labels"), ("x", "y"), ("X", "Y"), ("arr_0", "arr_1"), ("image", "targets")],
)
def test_labels_stay_with_their_images(tmp_path, save, images, labels):
    save(tmp_path / "my.npz", **{images: IMAGES, labels: LABELS, "note": np.array("of August")})
    source = Arrays(tmp_path / "my.npz")
    assert source.spec.num_classes == 3
    label_of = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    for split in SPLITS:
        for image, label in zip(*everything(source, split), strict=True):
            assert label_of[image.tobytes()] == label


def test_images_without_a_channel_axis_have_one(tmp_path):
    grey = Arrays(saved(tmp_path, images=IMAGES[..., 0]))
    assert grey.spec.shape == (6, 7, 1)
    with_axis = Arrays(saved(tmp_path, "other.npz", images=IMAGES[..., :1]))
    chex.assert_trees_all_equal(grey.open("test").load_all(), with_axis.open("test").load_all())


def test_splits_of_a_file_are_kept_and_the_missing_one_is_drawn(tmp_path):
    """As in Keras' mnist.npz."""
    path = saved(
        tmp_path, x_train=IMAGES[:30], y_train=LABELS[:30], x_test=IMAGES[30:], y_test=LABELS[30:]
    )
    source = Arrays(path, valid_fraction=0.2)
    np.testing.assert_array_equal(everything(source, "test")[0], IMAGES[30:])
    np.testing.assert_array_equal(everything(source, "test")[1], LABELS[30:])
    train, valid = (everything(source, split)[0] for split in ("train", "valid"))
    assert len(train) + len(valid) == 30
    np.testing.assert_array_equal(
        sorted(image.tobytes() for image in [*train, *valid]),
        sorted(image.tobytes() for image in IMAGES[:30]),
    )
    both = everything(source, "test[2:]+train[:3]+test[:1]")[0]
    np.testing.assert_array_equal(both, [*IMAGES[32:], *train[:3], IMAGES[30]])


def test_all_three_splits_of_a_file(tmp_path):
    """As in MedMNIST's files, whose labels are [N, 1]."""
    parts = {"train": slice(0, 20), "val": slice(20, 30), "test": slice(30, 40)}
    arrays = {f"{name}_images": IMAGES[part] for name, part in parts.items()}
    arrays |= {f"{name}_labels": LABELS[part, None] for name, part in parts.items()}
    source = Arrays(saved(tmp_path, **arrays))
    for split, part in zip(SPLITS, parts.values(), strict=True):
        images, labels = everything(source, split)
        np.testing.assert_array_equal(images, IMAGES[part])
        np.testing.assert_array_equal(labels, LABELS[part])


def test_labels_beside_an_npy(tmp_path):
    saved(tmp_path, "my.npy", images=IMAGES)
    np.save(tmp_path / "labels.npy", LABELS)
    source = Arrays(tmp_path / "my.npy", labels="labels.npy")
    inside = Arrays(saved(tmp_path, images=IMAGES, labels=LABELS))
    for split in SPLITS:
        chex.assert_trees_all_equal(source.open(split).load_all(), inside.open(split).load_all())
    assert Arrays(tmp_path / "my.npy", labels="none").spec.num_classes is None


def test_names_may_be_given(tmp_path):
    path = saved(tmp_path, images=IMAGES, fake=IMAGES[::-1], kind=LABELS)
    source = Arrays(path, images="fake", labels="kind")
    assert source.spec.num_classes == 3
    np.testing.assert_array_equal(
        everything(source, "train")[0],
        everything(Arrays(saved(tmp_path, "b.npz", images=IMAGES[::-1])), "train")[0],
    )
    assert Arrays(path).spec.num_classes is None
    assert Arrays(saved(tmp_path, "c.npz", frames=IMAGES)).spec.shape == (6, 7, 5)


def test_without_a_path_there_are_digits():
    source, digits = Arrays(), load_digits()
    assert source.spec == Digits().spec
    found = [everything(source, split) for split in SPLITS]
    images, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort(images.reshape(len(images), -1).T)
    expected = digits.images.astype(np.uint8)
    expected_order = np.lexsort(expected.reshape(len(expected), -1).T)
    np.testing.assert_array_equal(images[order, ..., 0], expected[expected_order])
    np.testing.assert_array_equal(labels[order], digits.target[expected_order])
    assert "scikit-learn's digits: 1,797 images 8x8x1" in source.summary()


def test_what_else_lies_in_an_archive_does_not_count(tmp_path):
    path = saved(tmp_path, images=IMAGES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("about.txt", "made in August")
    assert Arrays(path).spec.shape == (6, 7, 5)


def test_a_file_that_changed_is_read_anew(tmp_path):
    path = saved(tmp_path, images=IMAGES)
    assert Arrays(path).spec.shape == (6, 7, 5)
    saved(tmp_path, images=IMAGES[:, :4])
    assert Arrays(path).spec.shape == (4, 7, 5)


def test_a_path_is_the_same_however_it_is_given():
    assert Arrays(Path("a.npz")) == Arrays("a.npz")
    assert ArrayData(Path("a.npz")).source == Arrays("a.npz")


def test_paths_are_looked_up_in_data_folders(tmp_path, monkeypatch):
    saved(tmp_path, images=IMAGES)
    monkeypatch.setenv("GM_JAX_DATA", str(tmp_path))
    assert Arrays("my.npz").spec.shape == (6, 7, 5)


# --- Values --------------------------------------------------------------------------------------


def by_hand(values, low, high, levels):
    """The bin that each value is in, by comparing with every edge."""
    edges = [low + (high - low) * k / levels for k in range(1, levels)]
    return sum((values >= edge).astype(np.uint8) for edge in edges)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("low", "high", "levels"), [(0, 1, 256), (-1, 1, 16), (-3, 5, 7)])
def test_real_numbers_fall_into_bins_of_one_width(dtype, low, high, levels):
    values = RNG.uniform(low, high, (50, 3, 2)).astype(dtype)
    values[0, 0] = low, high
    quantizer = choose_quantizer(values, "data", (low, high), levels)
    made = quantizer(values)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, by_hand(values.astype(np.float64), low, high, levels))
    assert made[0, 0].tolist() == [0, levels - 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_that_were_divided_come_back(dtype, levels):
    whole = np.arange(levels).reshape(-1, 1)
    unit = choose_quantizer((whole / (levels - 1)).astype(dtype), "data", (0, 1), levels)
    np.testing.assert_array_equal(unit((whole / (levels - 1)).astype(dtype)), whole)
    symmetric = (2 * whole / (levels - 1) - 1).astype(np.float32)
    quantizer = choose_quantizer(symmetric, "data", (-1, 1), levels)
    np.testing.assert_array_equal(quantizer(symmetric), whole)


def test_the_ends_of_a_range_are_as_exact_as_the_values():
    values = np.array([[-0.1], [0.1]], np.float32)  # both lie outside of the range in float64
    assert choose_quantizer(values, "data", (-0.1, 0.1), 10)(values).tolist() == [[0], [9]]


@pytest.mark.parametrize(
    ("dtype", "span", "levels"),
    [
        (np.uint16, (0, 65535), None),
        (np.int16, (-32768, 32767), None),
        (np.int32, (-5, 1000), 10),
        (np.uint8, (0, 255), 8),
        (np.int64, (3, 12), None),
        (np.uint64, (0, 2**63), 4),
    ],
)
def test_whole_numbers_fall_into_bins_as_equal_as_can_be(dtype, span, levels):
    values = RNG.integers(*span, 400, dtype, endpoint=True).reshape(100, 4)
    values[0, :2] = span
    quantizer = choose_quantizer(values, "data", span, levels)
    num = span[1] - span[0] + 1
    expected = [(int(v) - span[0]) * quantizer.num_levels // num for v in values.ravel()]
    if num < 2**62:
        np.testing.assert_array_equal(quantizer(values).ravel(), expected)
    else:  # in float64
        assert np.abs(quantizer(values).ravel().astype(int) - expected).max() <= 1
    assert quantizer.num_levels == (levels or min(num, 256))


def test_16_bits_keep_the_upper_8():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    made = choose_quantizer(values, "data", (0, 65535))(values)
    np.testing.assert_array_equal(made, values >> 8)


def test_levels_and_booleans_stay():
    for array, levels, wanted in [
        (IMAGES, None, 256),
        (IMAGES.astype(np.int64), None, 256),
        (IMAGES % 17, 17, 17),
        ((IMAGES % 17).astype(np.int32), 17, 17),
        (IMAGES > 99, None, 2),
    ]:
        quantizer = choose_quantizer(array, "data", None, levels)
        assert quantizer.num_levels == wanted
        np.testing.assert_array_equal(quantizer(array), array.astype(np.uint8))


def test_what_becomes_of_values_and_labels_is_said(tmp_path):
    unit = (IMAGES / 255).astype(np.float32)
    names = np.array(["cat", "dog", "emu"])[LABELS]
    path = saved(tmp_path, images=unit, labels=names)
    source = Arrays(path, range=(0, 1), num_levels=16)
    said = source.summary()
    assert "float32 from 0 to 1 as 16 levels" in said
    assert "3 labels (cat, dog, emu as 0 to 2)" in said
    assert "40 images 6x7x5" in said
    sizes = [len(source.open(split)) for split in SPLITS]
    assert said.endswith("{} train / {} validation / {} test".format(*sizes))
    assert source.spec.num_levels == 16
    assert (
        "uint8, 256 levels, 3 labels; "
        in Arrays(saved(tmp_path, "b.npz", images=IMAGES, labels=LABELS)).summary()
    )


@pytest.mark.parametrize(
    "values", [[7, 3, 10], [-1, 0, 1], [1.0, 2.0, 4.0], ["b", "a", "c"], [True, False, True]]
)
def test_distinct_labels_in_their_order_are_the_classes(tmp_path, values):
    labels = np.array(values)[LABELS]
    source = Arrays(saved(tmp_path, images=IMAGES, labels=labels))
    ordered = sorted(set(values))
    assert source.spec.num_classes == len(ordered)
    of = {
        image.tobytes(): ordered.index(v) for image, v in zip(IMAGES, labels.tolist(), strict=True)
    }
    for split in SPLITS:
        for image, label in zip(*everything(source, split), strict=True):
            assert of[image.tobytes()] == label


# --- Splits --------------------------------------------------------------------------------------


def test_splits_are_disjoint_complete_stable_and_of_the_size_that_is_asked():
    fractions = {"validation": 0.2, "test": 0.1}
    rows = split_rows(20_000, *fractions.values(), seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([*rows.values()])), np.arange(20_000))
    for split, fraction in fractions.items():
        deviation = 4 * np.sqrt(fraction * (1 - fraction) / 20_000)
        assert abs(len(rows[split]) / 20_000 - fraction) < deviation
        assert (np.diff(rows[split]) > 0).all()
    # What is appended moves no other; more for validation takes none from test.
    fewer = split_rows(15_000, *fractions.values(), seed=0)
    other = split_rows(15_000, 0.5, 0.1, seed=0)
    for split in SPLITS:
        np.testing.assert_array_equal(fewer[split], rows[split][rows[split] < 15_000])
    np.testing.assert_array_equal(other["test"], fewer["test"])
    assert set(fewer["validation"]) < set(other["validation"])


@pytest.mark.parametrize("num", range(3, 30))
def test_no_split_is_empty(num):
    rows = split_rows(num, 0.1, 0.05, seed=0)
    assert sorted(np.concatenate([*rows.values()])) == [*range(num)]
    assert min(map(len, rows.values())) >= 1
    assert [*split_rows(num, 0.0, 0.5, seed=0)] == ["train", "test"]
    assert len(split_rows(num, 0.0, 0.0, seed=0)["train"]) == num


# --- Large files ---------------------------------------------------------------------------------


def resident_bytes():
    """Memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for memory in use")
def test_a_large_file_is_mapped_and_not_loaded(tmp_path):
    """4 GB on paper, and next to nothing on the disk."""
    path = tmp_path / "large.npy"
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (2**13, 512, 512, 2))
    images[::1000, 5] = 7
    del images
    data = ArrayData(path, batch_size=16)
    data.spec  # noqa: B018 - what is imported on the way counts for nothing
    before = resident_bytes()
    split = data.open("train")
    assert not split.resident
    assert split.batch_at(3)["image"].shape == (16, 512, 512, 2)
    assert split.num_examples == pytest.approx(0.85 * 2**13, rel=0.05)
    assert resident_bytes() - before < 2**28


def test_an_npz_that_is_not_compressed_is_mapped(tmp_path):
    np.savez(tmp_path / "a.npz", labels=LABELS, images=np.asfortranarray(IMAGES))
    np.savez_compressed(tmp_path / "b.npz", labels=LABELS, images=IMAGES)
    plain, packed = (Arrays(tmp_path / name)._table() for name in ("a.npz", "b.npz"))
    assert isinstance(plain.images["all"], np.memmap)
    assert not isinstance(packed.images["all"], np.memmap)
    np.testing.assert_array_equal(plain.images["all"], IMAGES)
    np.testing.assert_array_equal(packed.images["all"], IMAGES)


def test_streamed_and_resident_batches_are_the_same(tmp_path):
    path = saved(tmp_path, images=(IMAGES / 255).astype(np.float32), labels=LABELS)
    data = ArrayData(path, (0, 1), 32, batch_size=8)
    resident = data.open("train", 3)
    streamed = ArrayData(path, (0, 1), 32, batch_size=8, device_budget_mib=0).open("train", 3)
    assert resident.resident
    assert not streamed.resident
    for step in range(6):
        chex.assert_trees_all_equal(resident.batch_at(step), streamed.batch_at(step))


# --- What does not fit ---------------------------------------------------------------------------

FLOATS = (IMAGES / 255).astype(np.float32)


def with_value(value, at=7):
    images = FLOATS.copy()
    images[at, 2, 3, 1] = value
    return images


@pytest.mark.parametrize(
    ("arrays", "asked", "message"),
    [
        ({"a": np.zeros(3), "b": np.zeros((2, 2))}, {}, r"holds no images: .* a float64 \[3\], b"),
        ({"images": IMAGES, "x": IMAGES}, {}, "images and x, which could all be the images"),
        ({"a": IMAGES, "b": IMAGES}, {}, "a and b, which could all be the images"),
        ({"images": IMAGES}, {"images": "imgs"}, r"no array imgs; it has: images uint8 \[40, 6"),
        ({"x_test": IMAGES}, {}, "has x_test, but no images to train on"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES},
            {},
            "labels of x_train, but none of x_test",
        ),
        (
            {"x_train": IMAGES, "x_test": IMAGES[:, :3]},
            {},
            "x_train holds images 6x7x5 of uint8, but x_test images 3x7x5",
        ),
        ({"images": IMAGES, "y": LABELS, "label": LABELS}, {}, "which could all be the labels"),
        ({"images": IMAGES.reshape(40, -1)}, {}, r"is \[40, 210\]: images are \[N, H, W\]"),
        ({"images": IMAGES[None]}, {}, r"is \[1, 40, 6, 7, 5\]: images are \[N, H, W\]"),
        ({"images": IMAGES[:0]}, {}, r"is \[0, 6, 7, 5\]: there is no image in it"),
        ({"images": IMAGES[:1]}, {}, "at least 3 images are needed, .*; found 1"),
        ({"images": np.zeros((4, 3, 32, 32))}, {}, r"give numpy\.moveaxis\(images, 1, -1\)"),
        ({"images": np.zeros((40, 32, 32, 17))}, {}, "channels, 1 to 16 of them$"),
        ({"images": IMAGES, "labels": LABELS[:9]}, {}, r"labels of shape \[9\], .* 40 images"),
        ({"images": IMAGES, "labels": np.eye(40)}, {}, r"labels of shape \[40, 40\]"),
        ({"images": IMAGES, "labels": LABELS + 0.5}, {}, "labels of float64, but labels are whole"),
        ({"images": FLOATS}, {}, "float32 from 0 to 1: say which range"),
        ({"images": with_value(np.nan)}, {"range": (0, 1)}, "not finite, in image 7"),
        ({"images": with_value(-np.inf)}, {}, "not finite, in image 7"),
        ({"images": with_value(1.5)}, {"range": (0, 1)}, "the value 1.5, .* image 7 is the first"),
        ({"images": with_value(-2)}, {"range": (0, 1)}, "the value -2, outside"),
        ({"images": IMAGES.astype(np.int16) - 9}, {}, "int16 from -9 to 2.*: say which range"),
        ({"images": IMAGES}, {"num_levels": 17}, "the level 255, but num_levels is 17"),
        ({"images": IMAGES}, {"range": (0, 16), "num_levels": 99}, "the value 255, outside"),
        ({"images": IMAGES % 9}, {"range": (0, 8), "num_levels": 99}, "9 values .* 99 levels"),
        ({"images": IMAGES}, {"range": (0, 255.5)}, "must be whole numbers"),
        ({"images": IMAGES > 9}, {"range": (0, 1)}, "True and False, which are 2 levels"),
        ({"images": IMAGES.astype(complex)}, {"range": (0, 1)}, "complex128, which are no numbers"),
        ({"images": IMAGES.astype(str)}, {}, "which are no numbers"),
        ({"images": IMAGES.astype(object)}, {}, "Python objects: give an array of numbers"),
        ({"images": IMAGES, "labels": LABELS.astype(object)}, {}, "labels in .* Python objects"),
    ],
)  # fmt: skip
def test_what_does_not_fit_gets_one_line(tmp_path, arrays, asked, message):
    np.savez(tmp_path / "my.npz", **arrays)
    with pytest.raises(UserError, match=message) as caught:
        Arrays(tmp_path / "my.npz", **asked).open("train")
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)


class Trap:
    """What a pickle would call."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle was loaded')",))


def test_no_pickle_is_ever_loaded(tmp_path):
    trapped = np.array([Trap()], object)
    np.save(tmp_path / "a.npy", trapped)
    np.savez(tmp_path / "b.npz", images=trapped)
    np.savez_compressed(tmp_path / "c.npz", images=trapped)
    (tmp_path / "d.npy").write_bytes(pickle.dumps(Trap()))
    saved(tmp_path, "e.npy", images=IMAGES)
    alone = [(name, "auto") for name in ("a.npy", "b.npz", "c.npz", "d.npy")]
    for name, labels in [*alone, ("e.npy", "a.npy"), ("e.npy", "d.npy")]:
        with pytest.raises(UserError):
            Arrays(tmp_path / name, labels=labels).open("train")


@pytest.mark.parametrize("name", ["my.npy", "my.npz"])
def test_garbled_headers_are_damage_or_other_arrays(tmp_path, name):
    path, rng = saved(tmp_path, name, images=IMAGES), np.random.default_rng(1)
    good = path.read_bytes()
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(0, 200, 2):
            bad[place] = rng.integers(0, 256)
        path.write_bytes(bad)
        with contextlib.suppress(UserError):
            for stored in read_arrays(path).values():
                stored.load()


@pytest.mark.parametrize("name", ["my.npy", "my.npz"])
@pytest.mark.parametrize("keep", [0, 5, 60, -3])
def test_a_file_that_was_cut_short(tmp_path, name, keep):
    path = saved(tmp_path, name, images=IMAGES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=f"{name} cannot be read: it is damaged"):
        Arrays(path).open("train")


def test_what_is_no_file_of_arrays(tmp_path):
    (tmp_path / "my.png").touch()
    for path, message in [
        ("no.npz", "there is no file .*no.npz"),
        (".", "is a folder: give an .npz or .npy file"),
        ("my.png", "is no .npz or .npy file"),
    ]:
        with pytest.raises(UserError, match=message):
            Arrays(tmp_path / path).open("train")
    saved(tmp_path, "my.npy", images=IMAGES)
    with pytest.raises(UserError, match=r"there is no file .*no\.npy of labels"):
        Arrays(tmp_path / "my.npy", labels="no.npy").open("train")
    with pytest.raises(UserError, match="there is no split 'tset'; the splits are train"):
        Arrays(tmp_path / "my.npy").open("tset")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"range": (1, 0)}, r"range must be two numbers, the lower one first, not \(1.0, 0.0\)"),
        ({"range": (0, float("inf"))}, "range must be two numbers"),
        ({"num_levels": 1}, "num_levels must be 2 to 256, not 1"),
        ({"num_levels": 257}, "num_levels must be 2 to 256, not 257"),
        ({"valid_fraction": 0.6, "test_fraction": 0.4}, "valid_fraction and test_fraction must"),
    ],
)
def test_impossible_configs_are_refused_when_built(wrong, message):
    for cls in (Arrays, ArrayData):
        with pytest.raises(ConfigError, match=rf"{cls.__name__}\.{message}"):
            cls(**wrong)
