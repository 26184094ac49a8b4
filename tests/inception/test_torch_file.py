"""Files that torch.save and safetensors wrote (tests/fixtures/inception), and hostile ones."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import chex
import numpy as np
import pytest

from gm_jax.evaluation.inception.torch_file import TorchFileError, read_torch_file
from gm_jax.weights_file import from_bytes

FILES = ["small.pth", "small_before_1_6.pth"]  # a zip archive, and pickles one after the other
WHOLE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def resaved(content, change):
    """The archive with its pickle changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith("data.pkl") else data)
    return out.getvalue()


@pytest.fixture(params=FILES)
def content(request, fixtures):
    return (fixtures / request.param).read_bytes()


@pytest.fixture
def zipped(fixtures):
    return (fixtures / FILES[0]).read_bytes()


def assert_as_saved(read):
    expected = {
        "whole": WHOLE,
        "turned": WHOLE.transpose(2, 1, 0),
        "part": WHOLE[1, 1:],
        "double": np.array([0.5, -2.0]),
        "half": np.array([[1.5]], np.float16),
        "count": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
    }
    chex.assert_trees_all_equal(read, expected)
    assert {n: v.dtype for n, v in read.items()} == {n: v.dtype for n, v in expected.items()}


def test_tensors_are_read_whatever_their_type_and_strides(content):
    assert_as_saved(read_torch_file(content))


def test_so_are_those_that_safetensors_wrote(fixtures):
    assert_as_saved(from_bytes((fixtures / "small.safetensors").read_bytes())[0])


def test_so_are_those_that_were_saved_from_a_gpu(zipped):
    """Their storages are of torch.cuda, and their numbers lie in the file like any others."""

    def from_gpu(data):
        assert b"ctorch\nFloatStorage" in data
        return data.replace(b"ctorch\nFloatStorage", b"ctorch.cuda\nFloatStorage")

    assert_as_saved(read_torch_file(resaved(zipped, from_gpu)))


def test_a_file_cut_short_anywhere_is_refused(content):
    for length in range(0, len(content), 7):
        with pytest.raises(TorchFileError):
            read_torch_file(content[:length])


def test_a_damaged_byte_gives_arrays_or_the_one_error(content):
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        try:
            read = read_torch_file(bytes(damaged))
        except TorchFileError:
            continue
        assert all(isinstance(value, np.ndarray) for value in read.values())


class Calls:
    """What a hostile pickle does when it is loaded."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(protocol, zipped, tmp_path):
    made = tmp_path / "made"
    hostile = pickle.dumps(OrderedDict(a=Calls(os.mkdir, str(made))), protocol)
    with pytest.raises(TorchFileError, match=r"refused: its pickle asks for \w+\.mkdir"):
        read_torch_file(resaved(zipped, lambda _: hostile))
    with pytest.raises(TorchFileError, match="refused"):
        read_torch_file(hostile)
    assert not made.exists()
    pickle.loads(hostile)
    assert made.exists()  # so it would have


def asks(module, name, rest=b"."):
    return b"c" + f"{module}\n{name}\n".encode() + rest


@pytest.mark.parametrize(
    "hostile",
    [
        asks("builtins", "eval", b"(S'1'\ntR."),
        asks("torch", "load", b"(S'x'\ntR."),
        asks("numpy", "ndarray", b"."),
        asks("collections", "OrderedDict.fromkeys", b"."),
        asks("torch._utils", "_rebuild_tensor_v2", b"(NNNNtR."),  # of no storage
        asks("torch", "FloatStorage", b"(tR."),  # called, which it is not made for
        b"(lp0\n.",  # a list
        b"}(X\x01\x00\x00\x00aK\x01s.",  # a dictionary of numbers
        b"Pwhat\n.",  # the numbers of nothing
        b"\x80\x02\x82\x01.",  # a name by number, of a registry
        b"",
    ],
)
def test_a_pickle_of_anything_else_is_refused(hostile, zipped):
    with pytest.raises(TorchFileError):
        read_torch_file(resaved(zipped, lambda _: hostile))


def test_the_module_itself_is_refused(fixtures):
    """torch.save(module) instead of torch.save(module.state_dict())."""
    with pytest.raises(TorchFileError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        read_torch_file((fixtures / "module.pth").read_bytes())


def test_a_shape_beyond_the_numbers_is_refused(zipped):
    def larger(data):
        shape = b"K\x02K\x03K\x04\x87"  # (2, 3, 4)
        assert shape in data
        return data.replace(shape, b"K\x02K\x03K\x7f\x87", 1)

    with pytest.raises(TorchFileError, match="larger than its numbers"):
        read_torch_file(resaved(zipped, larger))


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04", b"some text", b"\x89HDF\r\n\x1a\n" * 9])
def test_other_files_are_refused(text):
    with pytest.raises(TorchFileError):
        read_torch_file(text)


def test_another_archive_is_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", b"")
    with pytest.raises(TorchFileError, match=r"without a data\.pkl"):
        read_torch_file(out.getvalue())
