"""Public sets in their authors' formats, of a few images made up here, and a server that has them.

The server is on this machine, gives files as asked, and fails as asked.
"""

import contextlib
import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from gm_jax.data.store.public import fetch, files
from gm_jax.data.store.public.sets import PUBLIC_SETS

SIZES = {"train": 300, "test": 60}


def idx(array: np.ndarray) -> bytes:
    """A file of MNIST: bytes with a header."""
    shape = np.array(array.shape, ">u4").tobytes()
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + shape + array.tobytes(), 1)


def mnist(seed=0, sizes=SIZES, levels=256) -> dict[str, bytes]:
    rng, files = np.random.default_rng(seed), {}
    for split, part in (("train", "train"), ("test", "t10k")):
        images = rng.integers(0, levels, (sizes[split], 28, 28), np.uint8)
        labels = rng.integers(0, 10, sizes[split], np.uint8)
        files[f"{part}-images-idx3-ubyte.gz"] = idx(images)
        files[f"{part}-labels-idx1-ubyte.gz"] = idx(labels)
    return files


def emnist(config: str) -> dict[str, bytes]:
    archive, files = io.BytesIO(), mnist(1)
    with zipfile.ZipFile(archive, "w") as out:
        for name, content in files.items():
            name = name.replace("t10k", "test")
            out.writestr(f"gzip/emnist-{config}-{name}", content)
    return {"gzip.zip": archive.getvalue()}


def _cifar(archive: str, folder: str, members: dict[str, bytes]) -> dict[str, bytes]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return {archive: content.getvalue()}


def _rows(rng: np.random.Generator, num: int, classes: tuple[int, ...]) -> bytes:
    labels = np.stack([rng.integers(0, n, num) for n in classes], axis=1).astype(np.uint8)
    return np.hstack([labels, rng.integers(0, 256, (num, 3072), np.uint8)]).tobytes()


def _lines(word: str, num: int) -> bytes:
    return "".join(f"{word}{i}\n" for i in range(num)).encode() + b"\n"


def cifar10() -> dict[str, bytes]:
    rng = np.random.default_rng(2)
    names = [*(f"data_batch_{i}.bin" for i in (3, 1, 2, 5, 4)), "test_batch.bin"]
    members = {name: _rows(rng, 12, (10,)) for name in names}
    members["batches.meta.txt"] = _lines("kind", 10)
    return _cifar("cifar-10-binary.tar.gz", "cifar-10-batches-bin", members)


def cifar100() -> dict[str, bytes]:
    rng = np.random.default_rng(3)
    members = {name: _rows(rng, 30, (20, 100)) for name in ("train.bin", "test.bin")}
    members["fine_label_names.txt"] = _lines("fine", 100)
    members["coarse_label_names.txt"] = _lines("coarse", 20)
    return _cifar("cifar-100-binary.tar.gz", "cifar-100-binary", members)


def binarized_mnist() -> dict[str, bytes]:
    rng, files = np.random.default_rng(4), {}
    for part, num in (("train", 40), ("valid", 9), ("test", 7)):
        rows = rng.integers(0, 2, (num, 784))
        text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
        files[f"binarized_mnist_{part}.amat"] = text.encode()
    return files


def omniglot() -> dict[str, bytes]:
    """One drawing of each of the 1,623 characters, in 50 alphabets, 30 of them for training."""
    rng = np.random.default_rng(5)
    drawings: dict[str, dict[str, bytes]] = {"background": {}, "evaluation": {}}
    for label in range(1623):
        alphabet, character = label % 50, label // 50
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 2, (105, 105)).astype(bool)).save(file, "png")
        name = f"Alphabet_{alphabet}/character{character + 1:02d}/{label + 1:04d}_07.png"
        drawings["background" if alphabet < 30 else "evaluation"][name] = file.getvalue()
    background = drawings["background"]
    for k in (1, 2):
        drawings[f"background_small{k}"] = {
            name: png for name, png in background.items() if name.startswith(f"Alphabet_{k}/")
        }
    files = {}
    for part, members in drawings.items():
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as out:
            out.mkdir(f"images_{part}")
            for name, png in members.items():
                out.writestr(f"images_{part}/{name}", png)
        files[f"images_{part}.zip"] = archive.getvalue()
    return files


def original_files(name: str, **rest) -> dict[str, bytes]:
    """The files that a set is made from, by name; of MNIST with `sizes` and `levels`."""
    base, _, config = name.partition("/")
    if base == "emnist":
        return emnist(config)
    seeds = {"mnist": 0, "fashion_mnist": 6, "kmnist": 7}
    if base in seeds:
        return mnist(seeds[base], **rest)
    return {
        "cifar10": cifar10,
        "cifar100": cifar100,
        "binarized_mnist": binarized_mnist,
        "omniglot": omniglot,
    }[base]()


class Web:
    """What a server has and does.

    Attributes:
      url: of the server, without "/" at the end.
      files: contents by path.
      cut: paths of which only so many bytes come in one answer.
      ranges: whether it can begin in the middle.
      asked: path and first byte of each request, in order.
    """

    def __init__(self, url: str):
        self.url = url
        self.files = dict[str, bytes]()
        self.cut = dict[str, int]()
        self.ranges = True
        self.asked = list[tuple[str, int]]()

    def give(self, folder: str, files: dict[str, bytes]) -> None:
        self.files |= {f"/{folder}/{name}": content for name, content in files.items()}


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """A server for as long as the block runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
            start = start if web.ranges else 0
            web.asked.append((self.path, start))
            content = web.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: web.cut.get(self.path, len(content))])

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registry(url: str, files: dict[str, bytes]) -> tuple[tuple[str, str, int, str], ...]:
    """What TFDS would have registered of files at an address."""
    return tuple(
        (f"{url}/{name}", name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    )


@pytest.fixture
def web(monkeypatch):
    """The server; nothing else can be reached."""
    monkeypatch.delenv("GM_JAX_OFFLINE")
    monkeypatch.setattr(fetch, "_PAUSE", 0.0)
    urlopen = urllib.request.urlopen

    def only_here(request, **rest):
        assert urllib.parse.urlsplit(request.full_url).hostname == "127.0.0.1"
        return urlopen(request, **rest)

    monkeypatch.setattr(urllib.request, "urlopen", only_here)
    with serving() as web:
        yield web


@pytest.fixture
def published(web, monkeypatch):
    """Publishes a set: TFDS has it at /tfds on the server, and others at /other; its files."""

    def publish(name, **rest):
        base = name.partition("/")[0]
        contents = original_files(name, **rest)
        for folder in ("tfds", "other"):
            web.give(folder, contents)
        rows = registry(f"{web.url}/tfds", contents)
        monkeypatch.setattr(files, "registered", lambda wanted: {base: rows}[wanted])
        elsewhere = PUBLIC_SETS[base]._replace(mirrors=(f"{web.url}/other/",))
        monkeypatch.setitem(PUBLIC_SETS, base, elsewhere)
        return contents

    return publish
