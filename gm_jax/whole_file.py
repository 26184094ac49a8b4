"""Files and folders that are there whole or not at all: written aside, then renamed."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all, also should the machine stop."""
    with replacing(path) as aside, aside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, also should the machine stop."""
    with replacing(path) as aside, aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to instead of `path`, whose name it gets when the block ends well.

    Readers see the old file or the new one, never a part. Several processes may write to one path
    at a time: each has a file of its own, and the last one stays.

    Args:
      path: the file to make or replace; its folder must exist.

    Yields:
      A path in the same folder and with the same ending, at which there is nothing yet. It is
      removed if the block or the renaming fails.

    Raises:
      OSError: where `path` can't be replaced, or the block wrote nothing.
    """
    aside = _beside(path)
    try:
        yield aside
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to write to instead of `path`, whose name it gets when the block ends well.

    Nothing of what was in `path` before is in it afterwards. Where the block or the renaming fails,
    it stays as it was.

    Args:
      path: the folder to make or replace; that above it must exist.

    Yields:
      An empty folder beside it.

    Raises:
      OSError: where `path` can't be replaced.
    """
    aside, old = _beside(path), _beside(path)
    aside.mkdir()
    try:
        yield aside
        replaces = path.exists()
        if replaces:
            path.rename(old)
        try:
            aside.rename(path)
        except OSError:
            if replaces:
                old.rename(path)
            raise
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.{path.name}")
