import shutil
import subprocess
import sys

import chex
import numpy as np
import pytest
from sklearn.datasets import load_digits

import gm_jax.data.sets.digits as digits_module
from gm_jax.data import (
    BinarizedMnist,
    CenterCrop,
    Data,
    DataSpec,
    Digits,
    Resize,
    Tfds,
    data_dirs,
    list_prepared,
)
from gm_jax.data.sets.digits import prepare_digits
from gm_jax.data.store.tfds import PreparedExamples
from gm_jax.errors import UserError


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_digits_are_scikit_learns():
    digits = load_digits()
    seen = []
    for split, is_test in (("train", False), ("test", True)):
        examples = Digits().open(split)
        everything = range(len(examples))
        records = examples._records.__getitems__(list(everything))
        for record, example in zip(records, examples.take(everything), strict=True):
            place = int(record["id"])
            np.testing.assert_array_equal(example["image"][..., 0], digits.images[place])
            assert example["label"] == digits.target[place]
            assert (place % 6 == 0) == is_test
            seen.append(place)
    assert sorted(seen) == list(range(1797))


def test_digits_splits():
    assert Digits().spec == DataSpec((8, 8, 1), 17, 10)
    sizes = {s: len(Digits().open(s)) for s in ("train", "test", "train[:90%]", "train[90%:]")}
    assert sizes == {"train": 1497, "test": 300, "train[:90%]": 1347, "train[90%:]": 150}
    arrays = Digits().open("train").load_all()
    chex.assert_shape(arrays["image"], (1497, 8, 8, 1))
    assert arrays["image"].dtype == np.uint8
    assert arrays["image"].max() == 16


def test_digits_that_another_process_prepared_meanwhile(tmp_path, monkeypatch):
    write = digits_module._write

    def write_late(folder):
        write(folder)
        monkeypatch.setattr(digits_module, "_write", write)
        prepare_digits(tmp_path)  # the other one is done first

    monkeypatch.setattr(digits_module, "_write", write_late)
    prepared = prepare_digits(tmp_path)
    assert prepared.path == tmp_path / "sklearn_digits" / "1.0.0"
    assert [p.name for p in tmp_path.iterdir()] == ["sklearn_digits"]
    assert len(PreparedExamples(prepared, "test")) == 300


def test_digits_half_prepared_leave_nothing(tmp_path, monkeypatch):
    def fail(folder):
        (folder / "half").write_text("")
        raise OSError("the disk is full")

    monkeypatch.setattr(digits_module, "_write", fail)
    with pytest.raises(OSError, match="full"):
        prepare_digits(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_digits_where_nothing_is_prepared(no_data):
    assert len(Digits().open("test")) == 300
    [prepared] = list_prepared()
    assert prepared.path == no_data / "cache" / "gm_jax" / "data" / "sklearn_digits" / "1.0.0"
    assert prepared.splits == {"train": 1497, "test": 300}


def test_data_dirs_in_order(monkeypatch, no_data):
    home = [no_data / "tensorflow_datasets", no_data / "cache" / "gm_jax" / "data"]
    assert list(data_dirs()) == home
    monkeypatch.setenv("GM_JAX_DATA", "~/mine")
    monkeypatch.setenv("TFDS_DATA_DIR", "/sets")
    mine = no_data / "mine"
    assert [str(d) for d in data_dirs()] == [str(d) for d in (mine / "tfds", mine, "/sets", *home)]


def test_mnist(tfds_sets):
    source = Tfds("mnist")
    assert source.spec == DataSpec((28, 28, 1), 256, 10)
    assert len(source.open("train")) == 60_000
    test = Data(source).open("test").arrays
    chex.assert_shape(test["image"], (10_000, 28, 28, 1))
    # How often each digit is in MNIST's test set, as its authors published it.
    counts = np.bincount(test["label"])
    np.testing.assert_array_equal(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    # The test set's well-known mean.
    assert abs(test["image"].mean() / 255 - 0.1325) < 1e-4


def test_cifar10_split(tfds_sets):
    source = Tfds("cifar10")
    assert source.spec == DataSpec((32, 32, 3), 256, 10)
    sizes = [len(source.open(s)) for s in ("train[:40000]", "train[40000:]", "test")]
    assert sizes == [40_000, 10_000, 10_000]
    first, second = source.open("train[39999:40001]"), source.open("train[40000:]")
    np.testing.assert_array_equal(first[1]["image"], second[0]["image"])
    images = source.open("test[:2000]").load_all()["image"]
    chex.assert_shape(images, (2000, 32, 32, 3))
    np.testing.assert_allclose(images.mean((0, 1, 2)) / 255, [0.49, 0.48, 0.45], atol=0.02)


def test_tfds_decodes_as_tfds_does(tfds_sets):
    import tensorflow_datasets as tfds

    theirs = tfds.data_source("cifar10", split="test", data_dir=tfds_sets)
    ours = Tfds("cifar10").open("test")
    for i in (0, 17, 9_999):
        np.testing.assert_array_equal(ours[i]["image"], theirs[i]["image"])
        assert ours[i]["label"] == theirs[i]["label"]


def test_binarized_mnist(real_data):
    if not (real_data / "binarized_mnist.npz").is_file():
        pytest.skip(f"real data: {real_data} has no binarized_mnist.npz")
    source = BinarizedMnist()
    sizes = [len(source.open(s)) for s in ("train", "validation", "valid", "test")]
    assert sizes == [50_000, 10_000, 10_000, 10_000]
    assert len(source.open("train[:1000]+valid[90%:]")) == 2000
    split = Data(source, valid="valid", transforms=()).open("valid")
    chex.assert_shape(split.arrays["image"], (10_000, 28, 28, 1))
    assert set(np.unique(split.arrays["image"])) == {0, 1}
    assert split.spec == DataSpec((28, 28, 1), 2, None)
    assert "label" not in split.batch_at(0)
    # About 13 of 100 pixels are ink.
    assert 0.12 < split.arrays["image"].mean() < 0.14


def test_binarized_mnist_layout(monkeypatch, no_data):
    monkeypatch.setenv("GM_JAX_DATA", str(no_data))
    with pytest.raises(UserError) as error:
        BinarizedMnist().open("train")
    assert "gm-jax data prepare binarized_mnist" in one_line(error)
    rng = np.random.default_rng(0)
    images = {s: rng.integers(0, 2, (n, 784), np.uint8) for s, n in (("train", 5), ("valid", 3))}
    images["test"] = images["valid"]
    bits = {f"{s}_bits": np.packbits(array, axis=1) for s, array in images.items()}
    path = no_data / "binarized_mnist.npz"
    np.savez(path, **bits)
    np.testing.assert_array_equal(
        BinarizedMnist().open("valid[1:]").load_all()["image"].reshape(2, 784), images["valid"][1:]
    )
    with pytest.raises(UserError) as error:
        BinarizedMnist().open("tran")
    assert "train (5)" in one_line(error)
    np.savez(path, **(bits | {"test_bits": np.zeros((3, 784))}))
    with pytest.raises(UserError) as error:
        BinarizedMnist().open("train")
    assert "test_bits" in one_line(error)
    path.write_bytes(b"no zip file")
    with pytest.raises(UserError) as error:
        BinarizedMnist().open("train")
    assert "cannot be read" in one_line(error)


@pytest.mark.parametrize("split", ["tran", "train[:", "train[:200%]", "train[9000:]"])
def test_wrong_split(split):
    with pytest.raises(UserError) as error:
        Digits().open(split)
    assert "train (1,497), test (300)" in one_line(error)


def test_not_prepared_and_unknown(no_data):
    with pytest.raises(UserError) as error:
        Tfds("mnist").open("train")
    assert "gm-jax data prepare mnist" in one_line(error)
    assert all(str(folder) in one_line(error) for folder in data_dirs())
    with pytest.raises(UserError) as error:
        Tfds("mnits").open("train")
    assert "mnist" in one_line(error)
    with pytest.raises(UserError) as error:
        Tfds("../mnist").open("train")
    assert "not the name" in one_line(error)


def test_another_version(tfds_sets):
    with pytest.raises(UserError) as error:
        Tfds("mnist", version="1.0.0").open("train")
    assert "mnist 1.0.0 is not prepared" in one_line(error)
    assert len(Tfds("mnist", version="3.0.1").open("test")) == 10_000


@pytest.fixture
def broken(no_data, monkeypatch):
    """A preparation of our own to break, as TFDS's set "beans"; its folder."""
    own = no_data / "own"
    path = prepare_digits(own).path
    (own / "beans").mkdir()
    shutil.move(path, own / "beans" / "1.0.0")
    monkeypatch.setenv("GM_JAX_DATA", str(own))
    return own / "beans" / "1.0.0"


def test_damaged_preparation(broken):
    info, features = broken / "dataset_info.json", broken / "features.json"
    [records] = broken.glob("*test*")
    whole = {path: path.read_bytes() for path in (info, features, records)}
    for path, content in (
        (records, whole[records][:1000]),
        (records, None),
        (info, b"{"),
        (info, b"{}"),
        (features, b"{"),
    ):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(UserError) as error:
            Tfds("beans").open("test")[0]
        assert "damaged" in one_line(error)
        assert "gm-jax data prepare beans" in one_line(error)
        path.write_bytes(whole[path])


def test_prepared_as_tfrecord(broken):
    info = broken / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(UserError) as error:
        Tfds("beans").open("test")
    assert "tfrecord" in one_line(error)


def test_features_that_are_no_images(broken):
    features = broken / "features.json"
    text = features.read_text()
    for old, new, says in (
        (
            '"image": {\n                "image"',
            '"photo": {\n                "image"',
            "named image",
        ),
        ('"uint8"', '"uint16"', "uint8"),
        ('"label"', '"label_0"', None),
    ):
        assert old in text
        features.write_text(text.replace(old, new))
        if says is None:
            assert Tfds("beans").spec.num_classes is None
            assert "label" not in Tfds("beans").open("test")[0]
        else:
            with pytest.raises(UserError) as error:
                Tfds("beans").open("test")
            assert says in one_line(error)


def test_images_of_several_sizes_need_resize(broken):
    features = broken / "features.json"
    text = features.read_text()
    # The shape is left open, as TFDS does for photographs.
    features.write_text(text.replace('"8"', '"-1"'))
    data = Data(Tfds("beans"))
    for attempt in (lambda: data.spec, lambda: data.open("test")):
        with pytest.raises(UserError) as error:
            attempt()
        assert "Resize" in one_line(error)
    data = Data(Tfds("beans"), transforms=(CenterCrop(), Resize(4)), batch_size=3)
    assert data.spec.shape == (4, 4, 1)
    chex.assert_shape(data.open("test").batch_at(0)["image"], (3, 4, 4, 1))


def test_importing_is_cheap():
    code = (
        "import sys, gm_jax.data; "
        "print([m for m in ('tensorflow_datasets', 'grain', 'sklearn', 'PIL') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_fingerprint_changes_with_the_files(broken):
    before = Tfds("beans").open("test").fingerprint
    assert before == Tfds("beans").open("test").fingerprint
    assert before != Tfds("beans").open("train").fingerprint
    (broken / "features.json").write_text((broken / "features.json").read_text() + "\n")
    assert before != Tfds("beans").open("test").fingerprint


def test_sources_are_values():
    assert Tfds("mnist") == Tfds("mnist")
    assert hash(Data(Digits())) == hash(Data(Digits()))
