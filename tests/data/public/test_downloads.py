"""Files from the web: whole, cut short, resumed, wrong, missing; no network, no room, a queue."""

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import pathlib
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gm_jax
from gm_jax import cli
from gm_jax.data import BinarizedMnist, ImageData, MovingMnist, Resize, Tfds
from gm_jax.data.prepare import introduce, prepare
from gm_jax.data.store.public import fetch, preparation
from gm_jax.data.store.public.downloads import download, one_at_a_time
from gm_jax.data.store.public.files import OriginalFile, original_files
from gm_jax.data.store.public.sets import PUBLIC_SETS, public_set
from gm_jax.errors import UserError

CONTENT = np.random.default_rng(0).bytes(300_000)


def refusal(error) -> str:
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value).replace("data prepare mnist --from", "")
    return str(error.value)


@pytest.fixture
def one(web, tmp_path):
    """A file at three addresses of the server, and how it is fetched: shows, and where to."""

    class One:
        def __init__(self):
            self.folder, self.shown = tmp_path, []
            digest = hashlib.sha256(CONTENT).hexdigest()
            urls = tuple(f"{web.url}/{place}/f" for place in "abc")
            self.file = OriginalFile("f", len(CONTENT), digest, urls)
            web.files |= {f"/{place}/f": CONTENT for place in "abc"}

        def fetch(self):
            self.shown.clear()
            path = fetch.fetch(self.file, tmp_path, self.shown.append)
            assert path.read_bytes() == CONTENT
            assert [p.name for p in tmp_path.iterdir()] == ["f"]
            assert self.shown[-1] == len(CONTENT)

    return One()


def test_whole(one, web):
    one.fetch()
    assert web.asked == [("/a/f", 0)]
    assert one.shown == sorted(one.shown)
    assert one.shown[0] == 0
    one.fetch()  # there already
    assert len(web.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_cut_short(one, web, ranges):
    web.cut = {"/a/f": 100_000, "/b/f": 200_000}
    web.ranges = ranges
    one.fetch()
    if ranges:  # the same server, as long as more comes
        assert web.asked == [("/a/f", 0), ("/a/f", 100_000), ("/a/f", 200_000)]
    else:  # a server that always begins at the start gives no more the second time
        assert [path for path, _ in web.asked] == ["/a/f", "/a/f", "/b/f", "/b/f", "/c/f"]


def test_resumed(one, web):
    (one.folder / "f.part").write_bytes(CONTENT[:123_456])
    one.fetch()
    assert web.asked == [("/a/f", 123_456)]
    assert one.shown[0] == 123_456


@pytest.mark.parametrize("num", [1_000, len(CONTENT), len(CONTENT) + 5])
def test_a_part_of_something_else(one, web, num):
    (one.folder / "f.part").write_bytes(bytes(num))
    del web.files["/b/f"], web.files["/c/f"]
    one.fetch()
    assert web.asked[-1] == ("/a/f", 0)


def test_a_file_that_was_damaged(one, web):
    (one.folder / "f").write_bytes(CONTENT[:-1] + b"?")
    one.fetch()
    assert web.asked == [("/a/f", 0)]


@pytest.mark.parametrize("content", [None, bytes(len(CONTENT)), CONTENT[:-1], CONTENT + b"?"])
def test_the_next_address(one, web, content):
    """404, a wrong digest, and other sizes."""
    web.files["/a/f"] = content
    one.fetch()
    assert [path for path, _ in web.asked] == ["/a/f", "/b/f"]


def test_no_address(one, web):
    web.files |= {"/b/f": bytes(len(CONTENT)), "/c/f": b"<html>"}
    del web.files["/a/f"]
    with pytest.raises(UserError) as error:
        one.fetch()
    # All on one server here, of which the last refusal is told.
    assert refusal(error) == (
        f"f cannot be downloaded: {web.url[7:]}: sends a file of 6 bytes, not 300,000"
    )
    assert not list(one.folder.iterdir())
    web.files = {"/c/f": CONTENT}
    web.cut = {"/c/f": 0}
    with pytest.raises(UserError, match="ended after 0 of 300,000 bytes"):
        one.fetch()


def test_other_content(one, web):
    web.files = {f"/{place}/f": bytes(len(CONTENT)) for place in "abc"}
    with pytest.raises(UserError, match="sends other content"):
        one.fetch()
    assert not list(one.folder.iterdir())
    assert len(web.asked) == 3


def test_no_network(one, monkeypatch):
    def nobody(*args, **rest):
        raise urllib.error.URLError(socket.gaierror(-2, "Name or service not known"))

    monkeypatch.setattr(urllib.request, "urlopen", nobody)
    with pytest.raises(UserError, match="no network, or no such server") as error:
        one.fetch()
    refusal(error)


def test_nobody_listens(one, web):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    one.file = one.file._replace(urls=(f"http://127.0.0.1:{port}/f",))
    with pytest.raises(UserError, match="Connection refused"):
        one.fetch()
    one.file = one.file._replace(urls=(f"http://127.0.0.1:{port}/f", f"{web.url}/a/f"))
    one.fetch()


class _FullDisk(io.FileIO):
    """Takes 100,000 bytes."""

    def write(self, data):
        if self.tell() + len(data) > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_full_disk(one, web, monkeypatch):
    opened = pathlib.Path.open

    def full(path, mode="r", *rest, **more):
        return _FullDisk(path, mode[0]) if "a" in mode else opened(path, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "open", full)
        with pytest.raises(UserError, match="No space left on device; once that") as error:
            download([one.file], one.folder, "mnist")
        refusal(error)
        kept = (one.folder / "f.part").stat().st_size
    assert 0 < kept <= 100_000
    assert len(web.asked) == 1  # other servers would not help
    one.fetch()
    assert web.asked[-1] == ("/a/f", kept)


def test_no_room(one, web, monkeypatch):
    usage = shutil.disk_usage(one.folder)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"needs 0\.3 MB .* 0\.1 MB left") as error:
        download([one.file], one.folder, "mnist")
    refusal(error)
    assert not web.asked
    (one.folder / "f.part").write_bytes(CONTENT[:250_000])  # only the rest needs room
    download([one.file], one.folder, "mnist")


def test_one_at_a_time(one, web, no_data, capsys):
    """Two who want the same set: the second one waits, and finds the file."""
    inside = list[int]()

    def want(_):
        with one_at_a_time("mnist", no_data) as folder:
            inside.append(1)
            assert len(inside) == 1
            time.sleep(0.05)
            download([one.file], folder, "mnist")
            inside.clear()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(want, range(4)))
    assert web.asked == [("/a/f", 0)]
    assert "another process is preparing mnist: waiting for it" in capsys.readouterr().err


def test_mirrors(monkeypatch):
    public = PUBLIC_SETS["mnist"]
    first, *others = original_files(public)[0].urls
    assert first.startswith("https://storage.googleapis.com/cvdf-datasets/mnist/")
    assert others[0].startswith(public.mirrors[0])
    name = original_files(public)[0].name
    monkeypatch.setenv("GM_JAX_MIRROR", "http://a:80/x/ https://b")
    assert original_files(public)[0].urls == (
        f"http://a:80/x/mnist/{name}",
        f"https://b/mnist/{name}",
        first,
        *others,
    )
    for wrong in ("ftp://a", "/files", "a"):
        monkeypatch.setenv("GM_JAX_MIRROR", wrong)
        with pytest.raises(UserError, match="GM_JAX_MIRROR must be http"):
            original_files(public)


def test_names():
    assert public_set("celeb_a") is None
    assert public_set("emnist/digits") is PUBLIC_SETS["emnist"]
    for name, says in (
        ("emnist", "there is no emnist as such: say emnist/balanced"),
        ("emnist/capitals", "there is no emnist/capitals"),
        ("mnist/digits", "mnist has no configurations"),
    ):
        with pytest.raises(UserError, match=says):
            prepare(name)


def test_prepare_from_the_web(no_data, web, published):
    contents = published("mnist")
    size = sum(map(len, contents.values())) / 1e6
    said = introduce("mnist")
    assert f"mnist: 4 files, {size:,.1f} MB, from 127.0.0.1" in said
    assert "licence: CC BY-SA 3.0" in said
    assert "into ~/tensorflow_datasets" in said
    assert prepare("mnist").startswith("prepared mnist 3.0.1 in")
    assert sorted(path for path, _ in web.asked) == sorted(f"/tfds/{n}" for n in contents)
    # Downloads are kept until the set is prepared, and removed then.
    assert not [p for p in (no_data / "cache").rglob("*") if p.is_file()]
    assert prepare("mnist").startswith("already prepared")
    assert introduce("mnist") is None
    assert not list((no_data / "tensorflow_datasets").glob(".*"))


def test_what_was_downloaded_is_kept_until_it_is_prepared(no_data, web, published, monkeypatch):
    contents = published("mnist")

    def stopped(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_write", stopped)
        with pytest.raises(UserError, match=r"cannot be prepared in .* No space left") as error:
            prepare("mnist")
        refusal(error)
    assert len(web.asked) == len(contents)
    prepare("mnist")
    assert len(web.asked) == len(contents)


def test_files_that_are_there(no_data, published, monkeypatch):
    contents = published("mnist")
    folder = no_data / "mine"
    with pytest.raises(UserError, match="there is no folder"):
        prepare("mnist", files=folder)
    folder.mkdir()
    first, *others = contents
    for name in others:
        (folder / name).write_bytes(contents[name])
    with pytest.raises(UserError, match=f"has no {first}, which mnist is made from"):
        prepare("mnist", files=folder)
    (folder / first).write_bytes(contents[first][:-1] + b"?")
    with pytest.raises(UserError, match=f"{first} is not the file that mnist is made from"):
        prepare("mnist", files=folder)
    with pytest.raises(UserError, match="svhn_cropped cannot be prepared from a folder"):
        prepare("svhn_cropped", files=folder)
    (folder / first).write_bytes(contents[first])
    monkeypatch.setenv("GM_JAX_OFFLINE", "1")
    monkeypatch.setattr(urllib.request, "urlopen", None)
    assert prepare("mnist", files=folder).startswith("prepared mnist")


def test_missing_sets_are_prepared_by_themselves(no_data, web, published, capsys):
    published("mnist")
    assert Tfds("mnist").spec.shape == (28, 28, 1)
    said = capsys.readouterr().out
    assert said.startswith("data      mnist: ")
    assert said.endswith(f"MB from {web.url[7:]} into ~/tensorflow_datasets (once)\n")
    assert said.count("\n") == 1
    assert len(Tfds("mnist").open("train")) == 300
    assert len(MovingMnist(num_train=3).open("train")) == 3
    assert not capsys.readouterr().out


def test_binarized_mnist_by_itself(no_data, published):
    published("binarized_mnist")
    assert [len(BinarizedMnist().open(s)) for s in ("train", "valid", "test")] == [40, 9, 7]
    images = BinarizedMnist().open("test").load_all()["image"]
    assert set(np.unique(images)) == {0, 1}


def test_images_of_a_public_set(no_data, published):
    published("cifar10")
    assert ImageData(tfds="cifar10", size=16).spec.shape == (16, 16, 3)


def test_nothing_by_itself_offline(no_data, web, published, monkeypatch):
    published("mnist")
    monkeypatch.setenv("GM_JAX_OFFLINE", "1")
    with pytest.raises(
        UserError, match=r"mnist is not prepared in .*run: gm-jax data prepare mnist"
    ):
        Tfds("mnist").open("train")
    with pytest.raises(UserError, match="GM_JAX_OFFLINE is set, so that mnist is not downloaded"):
        prepare("mnist")
    assert not web.asked
    monkeypatch.setenv("GM_JAX_OFFLINE", "0")
    Tfds("mnist").open("train")


def test_large_and_unknown_sets_are_not(no_data, web, monkeypatch):
    with pytest.raises(UserError, match="run: gm-jax data prepare emnist/balanced"):
        Tfds("emnist/balanced").open("train")
    with pytest.raises(UserError, match="run: gm-jax data prepare svhn_cropped"):
        Tfds("svhn_cropped").open("train")
    with pytest.raises(UserError, match=r"mnist 1\.0\.0 is not prepared"):
        Tfds("mnist", version="1.0.0").open("train")
    assert not web.asked


def test_by_itself_without_a_network(no_data, web, published):
    published("mnist")
    web.files.clear()
    with pytest.raises(UserError) as error:
        Tfds("mnist").open("train")
    assert "HTTP 404" in refusal(error)
    assert "gm-jax help data says how to prepare mnist" in refusal(error)


def test_another_version_beside_it(no_data, published):
    """What another TFDS has prepared stays, and is not in the way."""
    published("mnist")
    older = no_data / "tensorflow_datasets" / "mnist" / "1.0.0"
    older.mkdir(parents=True)
    (older / "note").write_text("")
    assert "mnist 3.0.1" in prepare("mnist")
    assert (older / "note").exists()


def test_processes_that_make_the_same(no_data, published, monkeypatch):
    """One that prepared it while another one was about to put it in place."""
    files = no_data / "files"
    files.mkdir()
    for name, content in published("mnist").items():
        (files / name).write_bytes(content)
    renamed, once = os.rename, threading.Event()

    def late(source, target):
        if str(target).endswith("3.0.1") and ".preparing" in str(source) and not once.is_set():
            once.set()
            prepare("mnist", files=files)
        renamed(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert prepare("mnist", files=files).startswith("prepared mnist")
    assert once.is_set()
    assert not list((no_data / "tensorflow_datasets").glob(".*"))


def test_a_file_system_without_locks(no_data, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOSYS, "")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with one_at_a_time("mnist", no_data) as folder:
        assert folder.is_dir()


def test_the_bar(one, monkeypatch):
    import rich.console

    screen = io.StringIO()
    terminal = rich.console.Console(file=screen, force_terminal=True, width=90)
    monkeypatch.setattr(rich.console, "Console", lambda **rest: terminal)
    with contextlib.chdir(one.folder):
        download([one.file], one.folder, "mnist")
    assert "downloading mnist" in screen.getvalue()
    assert "300.0/300.0 kB" in screen.getvalue()


def test_the_command(no_data, web, published, capsys, monkeypatch):
    monkeypatch.chdir(no_data)
    contents = published("fashion_mnist")
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", "prepare", "fashion_mnist", "--data-dir", "mine/tfds"])
    assert stop.value.code == 0
    size = sum(map(len, contents.values())) / 1e6
    first, licence, into, last = capsys.readouterr().out.splitlines()
    assert first == f"fashion_mnist: 4 files, {size:,.1f} MB, from {web.url[7:]}"
    assert licence == "licence: MIT (Zalando SE)"
    assert into == "into mine/tfds"
    assert last.endswith("in mine/tfds/fashion_mnist/3.0.1 (train 300 · test 60)")
    files = no_data / "files"
    files.mkdir()
    for name, content in contents.items():
        (files / name).write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", "prepare", "fashion_mnist", "--from", str(files)])
    assert stop.value.code == 0
    assert f"MB, in {files}\n" in capsys.readouterr().out
    assert len(web.asked) == 4


@pytest.mark.slow
def test_fit_and_evaluate_prepare_it(no_data, published, tmp_path):
    published("mnist")
    experiment = gm_jax.load("mnist/bayes").replace(
        **{"data.train": "train[:200]", "data.valid": "train[200:]", "data.batch_size": 100},
        **{"data.transforms": (Resize(4),), "training.num_steps": 2, "training.sample_every": 0},
    )
    run = gm_jax.fit(experiment, tmp_path / "run")
    assert run.evaluate("test")["neg_log_prob"].n == 60
    shutil.rmtree(no_data / "tensorflow_datasets")
    assert run.evaluate("valid")["neg_log_prob"].n == 100  # once more
