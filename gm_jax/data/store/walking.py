"""The files below a folder."""

import os
import pathlib
from collections.abc import Callable, Iterator

from gm_jax.errors import UserError


def walk_files(
    folder: pathlib.Path, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """The files in a folder and in the folders in it that are not hidden.

    Links are followed, but into no folder twice.

    Args:
      folder: where to look.
      wanted: says of a name below the folder whether it counts.

    Yields:
      Each name, with "/" between its parts, and the file's size and time.

    Raises:
      UserError: a folder cannot be read.
    """
    yield from _walk(folder, "", wanted, set())


def _walk(
    folder: pathlib.Path, prefix: str, wanted: Callable[[str], bool], seen: set[tuple[int, int]]
) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            return
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be read: {error.strerror}") from error
    for entry in ordered:
        name = prefix + entry.name
        if entry.is_dir():
            if not entry.name.startswith("."):
                yield from _walk(pathlib.Path(entry.path), f"{name}/", wanted, seen)
        elif wanted(name):
            try:
                status = entry.stat()
                yield name, (status.st_size, status.st_mtime_ns)
            except OSError:  # a link to nothing, or gone meanwhile: not readable
                yield name, (-1, -1)
