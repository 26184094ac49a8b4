"""The arrays in a .npy or .npz file: what there is, and reading it without running a pickle."""

import dataclasses
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from gm_jax.data.store.places import short_path
from gm_jax.errors import UserError

ENDINGS = (".npy", ".npz")

_DAMAGES = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    OverflowError,
    EOFError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_LOCAL_HEADER = 30  # bytes of a zip archive before the name of a member


@dataclasses.dataclass(frozen=True)
class Stored:
    """An array that need not be in memory.

    Attributes:
      shape: of it.
      dtype: of its values.
      load: gives it; mapped from the file where the file has it as it is.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], np.ndarray]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def in_memory(arrays: Mapping[str, np.ndarray]) -> dict[str, Stored]:
    """Arrays that are there already."""
    return {name: Stored(a.shape, a.dtype, lambda a=a: a) for name, a in arrays.items()}  # type: ignore[misc]


def read_arrays(path: Path) -> dict[str, Stored]:
    """The arrays of an .npz by their names; that of an .npy by the name of the file.

    Arrays of a .npy, and of an .npz that is not compressed, are mapped into memory: only what is
    looked at is read.

    Raises:
      UserError: the file is neither, is damaged, or holds Python objects, which are never loaded.
    """
    if path.is_dir():
        raise UserError(f"{short_path(path)} is a folder: give an .npz or .npy file of images")
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"{short_path(path)} is no .npz or .npy file")
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return {path.stem: _mapped(path, file)}
        return _members(path)
    except _DAMAGES as error:
        raise _unreadable(path, error) from error


def _members(path: Path) -> dict[str, Stored]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                continue
            if info.compress_type == zipfile.ZIP_STORED:
                with path.open("rb") as file:
                    file.seek(info.header_offset)
                    lengths = struct.unpack("<HH", file.read(_LOCAL_HEADER)[26:])
                    file.seek(sum(lengths), 1)
                    found[name] = _mapped(path, file)
            else:
                with archive.open(info) as stream:
                    shape, _, dtype = _header(stream)
                found[name] = Stored(shape, dtype, _reader(path, info.filename))
    return found


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis moves fastest, and type; raises ValueError."""
    major, _ = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0
    return read(stream) if major == 1 else np.lib.format.read_array_header_2_0(stream)


def _mapped(path: Path, file: IO[bytes]) -> Stored:
    """The array that begins where the file stands."""
    shape, fortran, dtype = _header(file)
    offset, num_bytes = file.tell(), int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if offset + num_bytes > path.stat().st_size and not dtype.hasobject:
        raise ValueError("cut short")

    def load() -> np.ndarray:
        if not num_bytes:
            return np.empty(shape, dtype)
        try:
            return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
        except _DAMAGES as error:
            raise _unreadable(path, error) from error

    return Stored(shape, dtype, load)


def _reader(path: Path, member: str) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)
        except _DAMAGES as error:
            raise _unreadable(path, error) from error

    return load


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = "it is damaged, or no file as NumPy saves arrays"
    if isinstance(error, PermissionError) and error.strerror:
        reason = error.strerror
    return UserError(f"{short_path(path)} cannot be read: {reason}")
