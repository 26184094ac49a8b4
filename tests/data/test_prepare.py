import importlib.util
import socket

import pytest

from gm_jax.data import DataSpec, list_prepared
from gm_jax.data.prepare import describe, prepare
from gm_jax.errors import UserError


def refused(name, **kwargs) -> str:
    with pytest.raises(UserError) as error:
        prepare(name, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_our_own(no_data):
    folder = no_data / "sets"
    assert prepare("sklearn_digits", folder).startswith("prepared sklearn_digits 1.0.0 in")
    again = prepare("sklearn_digits", str(folder))
    assert again.startswith("already prepared: sklearn_digits 1.0.0 in")
    assert "train 1,497" in again


def test_describe(no_data):
    found = describe("sklearn_digits")
    assert found.spec == DataSpec((8, 8, 1), 17, 10)
    assert "8x8x1, 17 levels, 10 classes" in str(found)
    assert [p.name for p in list_prepared()] == ["sklearn_digits"]


def test_real_sets(tfds_sets):
    assert prepare("mnist").startswith("already prepared: mnist 3.0.1")
    assert "28x28x1, 256 levels, 10 classes" in str(describe("mnist"))
    rows = {p.name: p for p in list_prepared()}
    assert rows["cifar10"].version == "3.0.2"
    assert rows["cifar10"].splits == {"train": 50_000, "test": 10_000}
    name, version, path, splits, _ = rows["mnist"]
    assert (name, version, path.name) == ("mnist", "3.0.1", "3.0.1")
    assert splits["test"] == 10_000


def test_nothing_prepared(no_data):
    assert list_prepared() == []
    with pytest.raises(UserError, match="gm-jax data prepare mnist"):
        describe("mnist")


def test_unknown_name(no_data):
    assert "did you mean" in refused("mnits")
    assert "not the name" in refused("mnist; rm")


def test_without_tensorflow(no_data, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else find(n, *a)
    )
    assert "pip install 'gm_jax[tfds]'" in refused("svhn_cropped")


@pytest.fixture
def with_tensorflow(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: object())
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_a_network(no_data, monkeypatch, with_tensorflow):
    def nobody(*args, **kwargs):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert "no network" in refused("svhn_cropped")
    assert not list((no_data / "tensorflow_datasets").rglob("*.json"))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionError("unplugged\nMax retries exceeded"), "Max retries exceeded"),
        (AssertionError("Manual directory does not exist"), "Manual directory"),
        (ModuleNotFoundError("No module named 'pycocotools'"), "pycocotools"),
    ],
)
def test_failures_of_tfds_are_one_line(no_data, monkeypatch, with_tensorflow, error, says):
    import tensorflow_datasets as tfds

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [])
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    assert says in refused("svhn_cropped")


def test_nowhere_to_write(no_data):
    (no_data / "file").write_text("")
    assert "can be written to" in refused("mnist", data_dir=no_data / "file")
