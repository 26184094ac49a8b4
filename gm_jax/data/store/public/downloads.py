"""The original files of a set on this machine: from a folder of the user's, or from the web."""

import contextlib
import fcntl
import functools
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence

from gm_jax.data.store.making import lock
from gm_jax.data.store.places import cache_dir, is_writable, short_path
from gm_jax.data.store.public.fetch import fetch, has_digest
from gm_jax.data.store.public.files import OriginalFile
from gm_jax.errors import UserError

Paths = dict[str, pathlib.Path]
"""Where each file is, by its name."""


def files_in(folder: pathlib.Path, files: Sequence[OriginalFile], name: str) -> Paths:
    """The files of a set in a folder, each checked by its digest.

    Raises:
      UserError: there is no such folder, a file is missing, or another one has its name.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    missing = [file.name for file in files if not (folder / file.name).is_file()]
    if missing:
        raise UserError(f"{folder} has no {', '.join(missing)}, which {name} is made from")
    for file in files:
        path = folder / file.name
        try:
            right = has_digest(path, file)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        if not right:
            raise UserError(
                f"{path} is not the file that {name} is made from: "
                "its SHA-256 is not the one that TFDS has"
            )
    return {file.name: folder / file.name for file in files}


@contextlib.contextmanager
def one_at_a_time(name: str, target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder for downloads of a set, held for one process at a time: others wait.

    Args:
      name: of the set.
      target: where the folder is if the user's cache cannot be written to.
    """
    folder = (cache_dir() if is_writable(cache_dir()) else target) / "downloads" / name
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a file system without locks
            held.callback(os.close, _locked(folder, name))
        yield folder  # never removed, so that all who wait hold the same


def _locked(folder: pathlib.Path, name: str) -> int:
    try:
        return lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"another process is preparing {name}: waiting for it\n")
        return lock(folder, fcntl.LOCK_EX)


def download(files: Sequence[OriginalFile], folder: pathlib.Path, name: str) -> Paths:
    """The files of a set from the web, with a bar; what is there already is not asked for again.

    Raises:
      UserError: no address gives a file, or there is no room for it; what has come is kept.
    """
    left = sum(file.size - _there(folder, file) for file in files)
    if left > shutil.disk_usage(folder).free:
        raise UserError(
            f"{name} needs {left / 1e6:,.1f} MB in {short_path(folder)}, and the disk has "
            f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB left: make room"
        )
    paths, before = Paths(), 0
    with _bytes_bar(name, sum(file.size for file in files)) as show:
        for file in files:
            try:
                paths[file.name] = fetch(file, folder, functools.partial(show, before))
            except UserError as error:
                raise error.of(name) from error
            except OSError as error:
                raise UserError(
                    f"{name} cannot be written to {short_path(folder)}: "
                    f"{error.strerror or error}; once that is mended, the same command resumes"
                ) from error
            before += file.size
    return paths


def _there(folder: pathlib.Path, file: OriginalFile) -> int:
    """How much of a file has come."""
    for name in (file.name, f"{file.name}.part"):
        with contextlib.suppress(FileNotFoundError):
            return min((folder / name).stat().st_size, file.size)
    return 0


@contextlib.contextmanager
def _bytes_bar(name: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Shows how much has come where stderr is a terminal.

    Yields:
      What is told the bytes of the files before, and of the one that is coming.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.progress import TransferSpeedColumn as Speed

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        Speed(),
        TimeLeft(compact=True),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"downloading {name}", total=total)
        yield lambda before, now: bar.update(task, completed=before + now)
