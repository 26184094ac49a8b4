"""Arrays out of a `.safetensors` file: a header in JSON, then raw numbers.

The format is that of https://huggingface.co/docs/safetensors: eight bytes with the header's length,
the header (`{"name": {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ...}`), bytes.
"""

import json
import math

import numpy as np

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_MOST_HEADER = 100 * 10**6  # bytes: the format's own limit


class SafetensorsError(ValueError):
    """A file that is none of this format, or damaged."""


def read_safetensors(content: bytes) -> dict[str, np.ndarray]:
    """Reads all arrays.

    Args:
      content: of the file.

    Returns:
      The arrays by name, of their shapes.

    Raises:
      SafetensorsError: the file is cut short or no such file, or holds numbers of another type than
        NumPy has.
    """
    size = int.from_bytes(content[:8], "little")
    if size > min(_MOST_HEADER, len(content) - 8):
        raise SafetensorsError("damaged or no file of safetensors")
    try:
        header = json.loads(content[8 : 8 + size])
        header.pop("__metadata__", None)
        body = memoryview(content)[8 + size :]
        return {name: _array(body, **entry) for name, entry in header.items()}
    except SafetensorsError:
        raise
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SafetensorsError("damaged or no file of safetensors") from error


def _array(
    body: memoryview, dtype: str, shape: list[int], data_offsets: tuple[int, int]
) -> np.ndarray:
    if dtype not in _DTYPES:
        raise SafetensorsError(f"it holds numbers of the type {dtype}, which NumPy has not")
    begin, end = data_offsets
    values = np.dtype(_DTYPES[dtype])
    if not 0 <= begin <= end or end - begin != math.prod(shape) * values.itemsize:
        raise SafetensorsError("damaged: an array has not the size that is said")
    if end > len(body):
        raise SafetensorsError("cut short")
    return np.frombuffer(body[begin:end], values).reshape(shape).copy()
