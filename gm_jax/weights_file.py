"""Arrays by name, and text, in a `.safetensors` file (https://huggingface.co/docs/safetensors).

The package safetensors knows the format. Here stand the types that it gives NumPy no names for,
bfloat16 first of all, the text of the header, and one error for all that may be wrong.
"""

import json
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors.numpy import save

_DTYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "F8_E4M3": jnp.float8_e4m3fn,
    "F8_E5M2": jnp.float8_e5m2,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_TEXT = "__metadata__"


class SafetensorsError(ValueError):
    """Bytes that are none of this format, or damaged."""


def to_bytes(arrays: Mapping[str, np.ndarray], text: Mapping[str, str]) -> bytes:
    """What a file of these arrays, and of this text in its header, holds: each time the same."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # np.ascontiguousarray makes numbers [1].
    content = save({n: a.reshape(np.shape(arrays[n])) for n, a in whole.items()}, dict(text))
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header[_TEXT] = dict(sorted(text.items()))  # the package writes it in any order
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    written += b" " * (-len(written) % 8)
    return b"".join((len(written).to_bytes(8, "little"), written, memoryview(content)[8 + size :]))


def from_bytes(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays by name, and the text of the header (often none).

    Raises:
      SafetensorsError: no such file, one that is cut short, or numbers of a type that NumPy and jax
        have not.
    """
    try:
        found = safetensors.deserialize(content)
        size = int.from_bytes(content[:8], "little")
        text = json.loads(content[8 : 8 + size]).get(_TEXT) or {}
    except safetensors.SafetensorError as error:
        raise SafetensorsError(f"damaged, cut short or no file of safetensors: {error}") from error
    return {name: _array(**entry) for name, entry in found}, text


def _array(dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    if dtype not in _DTYPES:
        raise SafetensorsError(f"it holds numbers of the type {dtype}, which NumPy has not")
    return np.frombuffer(data, _DTYPES[dtype]).reshape(shape).copy()
