"""Arrays out of a file of PyTorch's `torch.save`, without PyTorch and without running its pickle.

Such a file is a zip archive with a pickle and the raw numbers of each storage, or, from before
PyTorch 1.6, five pickles and the raw numbers behind them. A pickle may call anything. The one here
may make dictionaries and tensors, and what it makes are descriptions only: any other name in it is
refused before it is looked up.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before PyTorch 1.6
_PROTOCOL = 1001

_MOST_PICKLE = 16 * 2**20  # bytes: the names and shapes of Inception-v3 take some 100 KB

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class TorchFileError(ValueError):
    """A file that is none of `torch.save`, or damaged, or holds more than tensors by name."""


def read_torch_file(content: bytes) -> dict[str, np.ndarray]:
    """Reads a state dict.

    Args:
      content: of a file that `torch.save` wrote.

    Returns:
      The arrays by name, of their shapes.

    Raises:
      TorchFileError: the file is cut short, is no such file, or its pickle holds anything but
        names and tensors.
    """
    try:
        tensors, storage = (_zipped if content[:4] == b"PK\x03\x04" else _unzipped)(content)
        return {name: _array(tensor, storage) for name, tensor in tensors.items()}
    except TorchFileError:
        raise
    except Exception as error:  # what malformed pickles and archives raise has no end
        raise TorchFileError("damaged or no file of torch.save") from error


class _StorageType(NamedTuple):
    dtype: str


class _Storage(NamedTuple):
    dtype: np.dtype
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


Numbers = Callable[[_Storage], np.ndarray]
"""All numbers of a storage, [size]."""


def _zipped(content: bytes) -> tuple[dict[str, _Tensor], Numbers]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise TorchFileError("a zip archive without a data.pkl, no file of torch.save")
    root = pickles[0].removesuffix("data.pkl")
    if root + "byteorder" in archive.namelist() and archive.read(root + "byteorder") != b"little":
        raise TorchFileError("written on a big-endian machine, which is not supported")
    if archive.getinfo(pickles[0]).file_size > _MOST_PICKLE:
        raise TorchFileError("its pickle is larger than that of a network")
    state = _Unpickler(io.BytesIO(archive.read(pickles[0]))).load()

    def numbers(storage: _Storage) -> np.ndarray:
        entry = archive.getinfo(f"{root}data/{storage.key}")
        if entry.file_size != storage.size * storage.dtype.itemsize:
            raise TorchFileError("damaged: a storage has not the size that is said")
        return np.frombuffer(archive.read(entry), storage.dtype)

    return _state_dict(state), numbers


def _unzipped(content: bytes) -> tuple[dict[str, _Tensor], Numbers]:
    """The older format: magic number, version, machine, state dict, keys; then the storages."""
    file = io.BytesIO(content)

    def load() -> Any:
        return _Unpickler(file).load()

    if (load(), load()) != (_MAGIC, _PROTOCOL):
        raise TorchFileError("no file of torch.save")
    if not load()["little_endian"]:
        raise TorchFileError("written on a big-endian machine, which is not supported")
    unpickler = _Unpickler(file)
    tensors, keys = _state_dict(unpickler.load()), load()
    stored = {}
    for key in keys:
        storage = unpickler.storages[key]
        size = int.from_bytes(_exactly(file, 8), "little")
        if size != storage.size:
            raise TorchFileError("damaged: a storage has not the size that is said")
        stored[key] = np.frombuffer(_exactly(file, size * storage.dtype.itemsize), storage.dtype)
    return tensors, lambda storage: stored[storage.key]


def _exactly(file: io.BytesIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise TorchFileError("cut short")
    return data


class _Unpickler(pickle._Unpickler):
    """Knows the names that a state dict needs, and gives for them classes of no power.

    They are made anew for each reading: a pickle can set attributes of what it is given, and
    NumPy's own classes can be made to crash that way. It is the unpickler in Python, for that in C
    takes gigabytes where a damaged file asks for the billionth place of its memo.
    """

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

        class Names(dict):
            def __setstate__(self, state: Any) -> None:
                """Versions of modules, which are of no use here."""

        def tensor(
            storage: Any, offset: Any, shape: Any, strides: Any, *grad_and_hooks: Any
        ) -> _Tensor:
            if not isinstance(storage, _Storage):
                raise TorchFileError("damaged: a tensor without numbers")
            return _Tensor(storage, int(offset), tuple(shape), tuple(strides))

        def parameter(data: Any, *grad_and_hooks: Any) -> _Tensor:
            if not isinstance(data, _Tensor):
                raise TorchFileError("damaged: a parameter that is no tensor")
            return data

        self._known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): Names,
            ("torch._utils", "_rebuild_tensor_v2"): tensor,
            ("torch._utils", "_rebuild_parameter"): parameter,
            **{
                (module, name): _StorageType(dtype)
                for module in ("torch", "torch.cuda")
                for name, dtype in _DTYPES.items()
            },
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise TorchFileError(
                f"refused: its pickle asks for {module}.{name}, which is no tensor"
            )
        return self._known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _, size, *view = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or any(view):
            raise TorchFileError("damaged: not the numbers of a tensor")
        storage = _Storage(np.dtype(storage_type.dtype), str(key), int(size))
        return self.storages.setdefault(storage.key, storage)


def _state_dict(content: Any) -> dict[str, _Tensor]:
    if isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, _Tensor) for name, value in content.items()
    ):
        return content
    raise TorchFileError("no state dict: it holds more than tensors by name")


def _array(tensor: _Tensor, numbers: Numbers) -> np.ndarray:
    """The view that a tensor has of its storage."""
    storage, offset, shape, strides = tensor
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise TorchFileError("damaged: a tensor of no shape")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) > storage.size or (0 not in shape and last >= storage.size):
        raise TorchFileError("damaged: a tensor that is larger than its numbers")
    values = numbers(storage)[offset:]
    view = np.lib.stride_tricks.as_strided(
        values, shape, [step * values.itemsize for step in strides], writeable=False
    )
    return view.copy()
