"""Preparations are made aside and renamed: nobody ever sees half a dataset."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator

from gm_jax.data.store.prepared import find_prepared


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


def preparing(target: pathlib.Path, name: str) -> contextlib.AbstractContextManager[pathlib.Path]:
    """As `making`, of the dataset `name`, with its configuration if it has any."""
    return making(target, name, lambda: find_prepared(name, dirs=(target,)) is not None)
