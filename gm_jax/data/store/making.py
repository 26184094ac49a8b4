"""Preparations are made aside and renamed: nobody ever sees half a dataset."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from gm_jax.data.store.prepared import find_prepared


@contextlib.contextmanager
def preparing(target: pathlib.Path, name: str) -> Iterator[pathlib.Path]:
    """A folder to prepare the dataset `name` in, which becomes `target`/`name` at the end.

    Several processes may do so at once: the first one wins.

    Args:
      target: where it is to be; must be there.
      name: of the dataset, with its configuration if it has any.

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
            if find_prepared(name, dirs=(target,)) is None:
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
