"""The weights of FID's Inception-v3, from a file that the user fetched."""

import functools
import hashlib
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from gm_jax.errors import UserError
from gm_jax.evaluation.inception.torch_file import TorchFileError, read_torch_file
from gm_jax.nets.inception import SMALLEST_SIDE, InceptionV3
from gm_jax.weights_file import SafetensorsError, from_bytes

WEIGHTS_VARIABLE = "GM_JAX_INCEPTION"
"""The environment variable with the file's path."""

WEIGHTS_URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)
"""Where the weights are to be had: pytorch-fid's port of TensorFlow's graph, 96 MB."""

# The name of a file may hold the first digits of its SHA-256, as those of torch.hub do.
_NAMED = re.compile(r"-([0-9a-f]{8,64})\.\w+$")

_LEAVES = {
    ("params", "conv", "kernel"): "conv.weight",
    ("params", "bn", "scale"): "bn.weight",
    ("params", "bn", "bias"): "bn.bias",
    ("batch_stats", "bn", "mean"): "bn.running_mean",
    ("batch_stats", "bn", "var"): "bn.running_var",
}


class OtherNetworkError(ValueError):
    """Arrays that are not those of `InceptionV3`; the message goes on after the file's name."""


class InceptionWeights(NamedTuple):
    """Of `InceptionV3`.

    Attributes:
      variables: for `InceptionV3().apply`.
      digest: the first eight hexadecimal digits of the file's SHA-256.
    """

    variables: Any
    digest: str


def load_inception(path: str | os.PathLike | None = None) -> InceptionWeights:
    """Reads the weights, from what `torch.save` or safetensors wrote; PyTorch is not needed.

    Args:
      path: of the file; None: what the environment variable `GM_JAX_INCEPTION` says.

    Raises:
      UserError: no file is named or there, it is damaged or holds another network, or its name
        promises another digest than it has.
    """
    file = _named_file(path)
    is_safetensors = file.suffix == ".safetensors"
    try:
        content = file.read_bytes()
        digest = _sha256(file, content)
        arrays = from_bytes(content)[0] if is_safetensors else read_torch_file(content)
    except (TorchFileError, SafetensorsError) as error:
        raise UserError(f"{file} can't be read as weights ({error}): fetch {WEIGHTS_URL}") from None
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}): fetch {WEIGHTS_URL}") from None
    try:
        return InceptionWeights(from_torch(arrays), digest[:8])
    except OtherNetworkError as error:
        raise UserError(f"{file} {error}: fetch {WEIGHTS_URL}") from None


def from_torch(arrays: dict[str, np.ndarray]) -> Any:
    """The variables of `InceptionV3` out of a state dict of PyTorch.

    Args:
      arrays: by name, of the shapes that they have in PyTorch.

    Returns:
      For `InceptionV3().apply`, float32.

    Raises:
      OtherNetworkError: a name is missing or more than there should be, a shape differs, or a
        value is not finite.
    """
    names = {path: _torch_name(path) for path in _expected()}
    for name, shape in torch_names().items():
        if name not in arrays:
            raise OtherNetworkError(f"holds another network than FID's: {name} is missing")
        if arrays[name].shape != shape:
            found, wanted = _spoken(arrays[name].shape), _spoken(shape)
            raise OtherNetworkError(
                f"holds another network than FID's: {name} is {found}, not {wanted}"
            )
        if not np.isfinite(arrays[name]).all():
            raise OtherNetworkError(f"holds weights that are not finite, in {name}")
    for name in sorted(arrays.keys() - names.values()):
        if not name.endswith(".num_batches_tracked"):  # which only training counts
            raise OtherNetworkError(f"holds another network than FID's: it has {name} too")
    return unflatten_dict(
        {path: jnp.asarray(_to_flax(arrays[name]), jnp.float32) for path, name in names.items()}
    )


def torch_names() -> dict[str, tuple[int, ...]]:
    """What the network's arrays are called in PyTorch, and their shapes there."""
    return {_torch_name(path): _torch_shape(leaf.shape) for path, leaf in _expected().items()}


def _named_file(path: str | os.PathLike | None) -> Path:
    text = os.environ.get(WEIGHTS_VARIABLE, "") if path is None else os.fspath(path)
    if not text:
        raise UserError(
            f"the weights of Inception-v3 are not named: fetch {WEIGHTS_URL} and set "
            f"{WEIGHTS_VARIABLE} to the file's path"
        )
    file = Path(text).expanduser()
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "not there"
        raise UserError(
            f"{file}, the weights of Inception-v3, is {kind}: fetch {WEIGHTS_URL} and set "
            f"{WEIGHTS_VARIABLE} to the file's path"
        )
    return file


def _sha256(file: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    promised = _NAMED.search(file.name)
    if promised and not digest.startswith(promised[1]):
        raise UserError(
            f"{file} is damaged or cut short: its SHA-256 begins with {digest[:8]}, not with "
            f"{promised[1][:8]} as its name says; fetch {WEIGHTS_URL} again"
        )
    return digest


@functools.cache
def _expected() -> dict[tuple[str, ...], jax.ShapeDtypeStruct]:
    """By path, what `InceptionV3` has; nothing is computed for it."""
    image = jax.ShapeDtypeStruct((1, SMALLEST_SIDE, SMALLEST_SIDE, 3), jnp.float32)
    return flatten_dict(jax.eval_shape(InceptionV3().init, jax.random.key(0), image))


def _torch_name(path: tuple[str, ...]) -> str:
    collection, *modules, last = path
    if modules == ["fc"]:
        return "fc.weight" if last == "kernel" else "fc.bias"
    return ".".join((*modules[:-1], _LEAVES[collection, modules[-1], last]))


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Flax has [H, W, in, out] and [in, out], PyTorch [out, in, H, W] and [out, in]."""
    return (*shape[:-3:-1], *shape[:-2]) if len(shape) > 1 else shape


def _to_flax(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T


def _spoken(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
