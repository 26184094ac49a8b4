"""Preparations: made aside and renamed, held while they are read, removed when they are old."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator

from gm_jax.data.store.places import cache_dir, is_writable
from gm_jax.data.store.prepared import find_prepared
from gm_jax.errors import UserError

_PARTIAL = ".partial-"


@contextlib.contextmanager
def making(target: pathlib.Path, name: str, is_made: Callable[[], bool]) -> Iterator[pathlib.Path]:
    """A folder to make something called `name` in, which becomes `target`/`name` at the end.

    Several processes may do so at once: the first one wins.

    Args:
      target: where it is to be; must be there.
      name: of what is made; may have "/" in it.
      is_made: whether another process has made it.

    Yields:
      A folder inside `target` that is removed at the end, whatever happens.
    """
    aside = pathlib.Path(tempfile.mkdtemp(prefix=".preparing-", dir=target))
    try:
        yield aside
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.rename(aside / name, target / name)
        except OSError:
            if not is_made():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def resumable(target: pathlib.Path, name: str) -> Iterator[pathlib.Path]:
    """A folder for what is done of a preparation so far: after an interruption it is there again.

    It is removed when the block ends well, or is refused by a UserError. Where another process
    works in it, this one gets a folder of its own, which is removed at the end.

    Args:
      target: where the preparation is to be; must be there.
      name: of the preparation.
    """
    folder = target / f"{_PARTIAL}{name}"
    lock = _alone_in(folder)
    if lock is None:
        with tempfile.TemporaryDirectory(prefix=".preparing-", dir=target) as other:
            yield pathlib.Path(other)
        return
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _alone_in(folder: pathlib.Path) -> int | None:
    """A descriptor that holds a folder, which is made if need be; None where another holds it."""
    try:
        folder.mkdir(exist_ok=True)
        held = lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process, or a file system without locks
        return None
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(held), folder.stat()):
            return held
    os.close(held)  # removed by the process that held it before
    return None


def preparing(target: pathlib.Path, name: str) -> contextlib.AbstractContextManager[pathlib.Path]:
    """As `making`, of the dataset `name`, with its configuration if it has any."""
    return making(target, name, lambda: find_prepared(name, dirs=(target,)) is not None)


def preparation_name(path: pathlib.Path, version: int, recipe: object, fingerprint: str) -> str:
    """What a preparation of a folder is called.

    Args:
      path: of the folder.
      version: goes up when the same files give another dataset than before.
      recipe: what is made of the files.
      fingerprint: changes when they do.

    Returns:
      The path's name, a hash of what is wanted, and a hash of the files, with "-" between.
    """
    slug = re.sub(r"[^a-z0-9]+", "_", path.resolve().name.lower()).strip("_")[:40]
    wanted = (version, str(path.resolve()), recipe)
    return f"{slug or 'images'}-{digest(repr(wanted))}-{digest(fingerprint)}"


def preparation_folder(beside: pathlib.Path) -> pathlib.Path:
    """Where to prepare: beside the folder if that may be written to, else in the cache.

    Raises:
      UserError: neither can be written to.
    """
    parent = beside.parent
    # The mode counts as well: what is marked read-only is left alone, by an administrator too.
    marked = parent.stat().st_mode & 0o222
    if marked and is_writable(beside):
        return beside
    if is_writable(cache_dir()):
        return cache_dir()
    raise UserError(
        f"neither {parent} nor {cache_dir()} can be written to: set XDG_CACHE_HOME to a folder "
        "that can be, to prepare the images there"
    )


def digest(text: str) -> str:
    """A short hash, for names of preparations."""
    return hashlib.sha1(text.encode(errors="surrogateescape")).hexdigest()[:12]


def remove_others(prepared: pathlib.Path) -> None:
    """Removes what was prepared of the same folder before it changed, beside `prepared`.

    What somebody is reading stays until the next time.
    """
    stem = prepared.name.rpartition("-")[0]
    begun = prepared.parent.parent.glob(f"{_PARTIAL}{stem}-*")
    for folder in (*prepared.parent.glob(f"{stem}-*"), *begun):
        if folder.name != prepared.name:
            with contextlib.suppress(OSError):  # held, or removed by another process
                os.close(lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB))
                shutil.rmtree(folder, ignore_errors=True)


def hold(folder: pathlib.Path, reader: object) -> None:
    """Keeps a preparation from being removed for as long as `reader` lives."""
    with contextlib.suppress(OSError):  # a file system without locks
        weakref.finalize(reader, os.close, lock(folder, fcntl.LOCK_SH))


def lock(folder: pathlib.Path, kind: int) -> int:
    """A descriptor that holds a lock on a folder until it is closed; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
