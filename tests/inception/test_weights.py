"""The file of the weights: found, checked, told apart from others; in words where it is not."""

import hashlib
import json

import chex
import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from gm_jax.errors import UserError
from gm_jax.evaluation.inception import weights as module
from gm_jax.evaluation.inception.weights import (
    WEIGHTS_URL,
    WEIGHTS_VARIABLE,
    load_inception,
    torch_names,
)
from gm_jax.weights_file import SafetensorsError, from_bytes

KERNEL = "Conv2d_1a_3x3.conv.weight"


def safetensors(arrays):
    """As the format's specification has it."""
    types = {"float32": "F32", "float16": "F16", "int64": "I64"}
    header, body = {"__metadata__": {"by": "test"}}, b""
    for name, array in arrays.items():
        offsets = [len(body), len(body) + array.nbytes]
        header[name] = {
            "dtype": types[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": offsets,
        }
        body += array.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.fixture
def few(monkeypatch):
    """The network has its first convolution and its classes only; its arrays in PyTorch."""
    whole = module._expected()
    parts = {path: leaf for path, leaf in whole.items() if {"Conv2d_1a_3x3", "fc"} & {*path}}
    monkeypatch.setattr(module, "_expected", lambda: parts)
    rng = np.random.default_rng(0)
    return {n: rng.normal(size=s).astype(np.float32) for n, s in torch_names().items()}


@pytest.fixture
def write(tmp_path):
    def write(arrays, name="w.safetensors", keep=None):
        path = tmp_path / name
        path.write_bytes(safetensors(arrays)[:keep])
        return path

    return write


def test_the_names_are_those_of_the_ports_to_pytorch():
    """94 convolutions with four arrays of batch normalization each, and a layer of 1008 classes."""
    names = torch_names()
    assert len(names) == 94 * 5 + 2
    assert sum(int(np.prod(shape)) for shape in names.values()) == 23_885_392
    assert names[KERNEL] == (32, 3, 3, 3)
    assert names["Mixed_6b.branch7x7_2.conv.weight"] == (128, 128, 1, 7)
    assert names["Mixed_7c.branch3x3dbl_3b.bn.running_var"] == (384,)
    assert names["fc.weight"] == (1008, 2048)


def test_arrays_come_to_their_places(few, write, monkeypatch):
    counted = {**few, "Conv2d_1a_3x3.bn.num_batches_tracked": np.array(3)}
    path = write(counted)
    variables, digest = load_inception(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    kernel = variables["params"]["Conv2d_1a_3x3"]["conv"]["kernel"]
    chex.assert_trees_all_equal(kernel[2, 1, 0, 7], few[KERNEL][7, 0, 2, 1])
    dense = variables["params"]["fc"]["kernel"]
    chex.assert_trees_all_equal(dense[5, 6], few["fc.weight"][6, 5])
    chex.assert_trees_all_equal(
        variables["batch_stats"]["Conv2d_1a_3x3"]["bn"]["var"], few["Conv2d_1a_3x3.bn.running_var"]
    )
    assert len(flatten_dict(variables)) == len(few)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(path))
    chex.assert_trees_all_equal(load_inception().variables, variables)
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(variables))


def test_the_name_promises_a_digest(few, write):
    content = safetensors(few)
    digest = hashlib.sha256(content).hexdigest()
    assert load_inception(write(few, f"w-{digest[:8]}.safetensors")).digest == digest[:8]
    with pytest.raises(UserError, match="damaged or cut short: its SHA-256 begins with"):
        load_inception(write(few, "pt_inception-2015-12-05-6726825d.pth"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("fc.bias"), "than FID's: fc.bias is missing"),
        (
            lambda a: a.update({"fc.bias": np.zeros(1000, np.float32)}),
            "than FID's: fc.bias is 1000, not 1008",
        ),
        (
            lambda a: a.update({KERNEL: a[KERNEL].transpose(2, 3, 1, 0).copy()}),
            "weight is 3x3x3x32, not 32x3x3x3",
        ),
        (
            lambda a: a.update({"AuxLogits.fc.bias": np.zeros(9, np.float32)}),
            "it has AuxLogits.fc.bias too",
        ),
        (
            lambda a: a.update({"fc.bias": np.full(1008, np.nan, np.float32)}),
            "weights that are not finite, in fc.bias",
        ),
    ],
)
def test_another_network_is_refused(change, words, few, write):
    change(few)
    path = write(few)
    with pytest.raises(UserError) as error:
        load_inception(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert WEIGHTS_URL in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_cut_short_is_refused(name, few, write):
    with pytest.raises(UserError, match="can't be read as weights"):
        load_inception(write(few, name, keep=1000))


def test_no_file_is_named_in_words(tmp_path, monkeypatch):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(UserError, match=r"are not named: fetch https.* and set GM_JAX_INCEPTION"):
        load_inception()
    with pytest.raises(UserError, match="is not there: fetch https"):
        load_inception(tmp_path / "no.pth")
    with pytest.raises(UserError, match="is a folder: fetch https"):
        load_inception(tmp_path)


def test_safetensors_are_read_whatever_their_type():
    arrays = {
        "half": np.array([[1.5, 2.0]], np.float16),
        "count": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
    }
    chex.assert_trees_all_equal(from_bytes(safetensors(arrays)), (arrays, {"by": "test"}))


def test_damaged_safetensors_are_refused(few):
    content = safetensors({"bias": few["fc.bias"]})
    for length in range(0, len(content), 11):
        with pytest.raises(SafetensorsError):
            from_bytes(content[:length])
    for old, new in [(b"[1008]", b"[1009]"), (b"F32", b"F99"), (b'"shape"', b'"shApe"')]:
        with pytest.raises(SafetensorsError):
            from_bytes(content.replace(old, new, 1))
