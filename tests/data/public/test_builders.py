"""What is prepared without TensorFlow, beside what TFDS's own code makes of the same files."""

import gzip
import io
import os
import tarfile
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import hashing
from tensorflow_datasets.image_classification import mnist as theirs

from gm_jax.data import Data, DataSpec, Grayscale, Resize, Tfds
from gm_jax.data.prepare import describe, prepare
from gm_jax.data.store.public.builders import BUILDERS
from gm_jax.data.store.public.sets import PUBLIC_SETS

NAMES = [
    "mnist",
    "fashion_mnist",
    "kmnist",
    "emnist/letters",
    "cifar10",
    "cifar100",
    "binarized_mnist",
    "omniglot",
]


class Downloads:
    """In the place of TFDS's download manager: files that are there, taken apart as it would."""

    def __init__(self, folder):
        self.folder = folder

    def download(self, urls):
        return {key: self._path(url) for key, url in urls.items()}

    def extract(self, paths):
        return {key: self._taken_apart(path) for key, path in paths.items()}

    def download_and_extract(self, urls):
        if isinstance(urls, str):
            return self._taken_apart(self._path(urls))
        return self.extract(self.download(urls))

    def _path(self, url):
        return str(self.folder / url.rsplit("/", 1)[-1])

    def _taken_apart(self, path):
        out = f"{path}.extracted"
        if path.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                archive.extractall(out, filter="data")
        elif path.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(out)
        else:
            Path(out).write_bytes(gzip.decompress(Path(path).read_bytes()))
        return out


@pytest.fixture
def their_examples(monkeypatch, tmp_path):
    """What TFDS's own builder generates from files in a folder, with Python's files for TF's."""

    def generate(name, folder):
        base, _, config = name.partition("/")
        cls = tfds.builder_cls(base)
        gfile = types.SimpleNamespace(GFile=open, listdir=os.listdir)
        fake = types.SimpleNamespace(io=types.SimpleNamespace(gfile=gfile))
        module = __import__(cls.__module__, fromlist=["tf"])
        for place in {module, theirs}:
            monkeypatch.setattr(place, "tf", fake)
        # As many as there are in our files; but fewer of EMNIST, as of its letters.
        monkeypatch.setattr(theirs, "_TRAIN_EXAMPLES", 300)
        monkeypatch.setattr(theirs, "_TEST_EXAMPLES", 60)
        if config:
            chosen = cls.builder_configs[config]
            monkeypatch.setattr(chosen, "train_examples", 250)
            monkeypatch.setattr(chosen, "test_examples", 50)
        builder = cls(data_dir=tmp_path / "theirs", config=config or None)
        made = builder._split_generators(Downloads(folder))
        if not isinstance(made, dict):
            made = {str(s.name): builder._generate_examples(**s.gen_kwargs) for s in made}
        return builder, {str(split): list(examples) for split, examples in made.items()}

    return generate


def pixels(image, channels):
    """Of an array, or of a file of PNG."""
    if isinstance(image, np.ndarray):
        return image
    png = image if isinstance(image, bytes) else Path(image).read_bytes()
    array = np.asarray(Image.open(io.BytesIO(png)), np.uint8)
    return array if array.ndim == 3 else np.repeat(array[..., None], channels, -1)


@pytest.mark.parametrize("name", NAMES)
def test_as_tfds_prepares_it(name, no_data, published, their_examples):
    originals, out = no_data / "originals", no_data / "out"
    originals.mkdir()
    for file, content in published(name).items():
        (originals / file).write_bytes(content)
    builder, expected = their_examples(name, originals)
    assert prepare(name, out, originals).startswith(f"prepared {name} {builder.version} in")
    assert sorted(p.name for p in out.iterdir()) == [name.split("/")[0]]
    # TFDS reads it by name, with its own code.
    found = tfds.builder(name, data_dir=out)
    assert found.info.version == builder.version
    assert found.info.module_name == tfds.builder_cls(name.split("/")[0]).__module__
    assert repr(found.info.features) == repr(builder.info.features)
    for key, feature in builder.info.features.items():
        if isinstance(feature, tfds.features.ClassLabel):
            assert found.info.features[key].names == feature.names
    assert list(found.info.splits) == list(expected)
    channels = builder.info.features["image"].shape[-1]
    for split, examples in expected.items():
        salted = hashing.Hasher(split)
        examples.sort(key=lambda pair: salted.hash_key(pair[0]))
        source = tfds.data_source(name, split=split, data_dir=out)
        assert len(source) == len(examples) > 0
        for ours, (_, wanted) in zip(source, examples, strict=True):
            assert ours.keys() == wanted.keys()
            np.testing.assert_array_equal(ours["image"], pixels(wanted["image"], channels))
            encoded = builder.info.features.encode_example(wanted | {"image": b""})
            for key in ours.keys() - {"image"}:
                value = ours[key]
                value = value.decode() if isinstance(value, bytes) else value
                assert value == encoded[key]


def test_fashion_mnist_is_read_and_described(no_data, published):
    files = published("fashion_mnist")
    folder = no_data / "files"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    prepare("fashion_mnist", files=folder)
    said = str(describe("fashion_mnist"))
    assert "train 300 · test 60" in said
    assert "28x28x1, 256 levels, 10 classes" in said
    read = Tfds("fashion_mnist").open("train").load_all()
    source = tfds.data_source(
        "fashion_mnist", split="train", data_dir=no_data / "tensorflow_datasets"
    )
    np.testing.assert_array_equal(read["image"], [example["image"] for example in source])
    np.testing.assert_array_equal(read["label"], [example["label"] for example in source])
    assert all((folder / name).exists() for name in files)


def test_every_set_has_a_builder_and_checksums():
    assert set(BUILDERS) == set(PUBLIC_SETS)
    for name, public in PUBLIC_SETS.items():
        builder = BUILDERS[name]
        theirs = tfds.builder_cls(name)
        assert builder is not theirs
        assert builder.VERSION == theirs.VERSION
        assert {config.name for config in theirs.BUILDER_CONFIGS} == set(public.configs)
        for config in theirs.BUILDER_CONFIGS:
            num = config.train_examples + config.test_examples
            assert public.num_examples[config.name] == num
        assert all(len(info.checksum) == 64 for info in theirs.url_infos.values())
        assert all(mirror.endswith("/") for mirror in public.mirrors)


@pytest.mark.slow
def test_omniglot_as_small_images(no_data, published):
    published("omniglot")
    data = Data(Tfds("omniglot"), transforms=(Grayscale(), Resize(28)), batch_size=4)
    assert data.spec == DataSpec((28, 28, 1), 256, 1623)
    # White is 255, as TensorFlow decodes files of one bit.
    raw = Tfds("omniglot").open("test").load(0, 5)["image"]
    assert raw.shape == (5, 105, 105, 3)
    assert set(np.unique(raw)) == {0, 255}
    batch = data.open("small1").batch_at(0)
    assert batch["image"].shape == (4, 28, 28, 1)
