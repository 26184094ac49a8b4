"""Small public sets that are missing are prepared when they are first asked for."""

import sys
import urllib.parse

from gm_jax.data.store.places import data_dirs, short_path, writable_dir
from gm_jax.data.store.prepared import Prepared, find_prepared, require_prepared
from gm_jax.data.store.public.files import original_files
from gm_jax.data.store.public.preparation import prepare_public
from gm_jax.data.store.public.sets import PUBLIC_SETS, is_offline
from gm_jax.errors import UserError

MOST_BYTES = 200_000_000
"""A set that takes no more than this to download is prepared without being asked for by name."""


def prepare_if_small(name: str) -> None:
    """Downloads and prepares a set where it is public, small and missing; else does nothing.

    Not where GM_JAX_OFFLINE is set. One line says how much comes from where.

    Raises:
      UserError: it cannot be downloaded, or not be written anywhere.
    """
    public = PUBLIC_SETS.get(name)
    if public is None or public.configs or is_offline() or find_prepared(name) is not None:
        return
    files = original_files(public)
    num_bytes = sum(file.size for file in files)
    if num_bytes > MOST_BYTES:
        return
    target = writable_dir(data_dirs())
    host = urllib.parse.urlsplit(files[0].urls[0]).netloc
    sys.stdout.write(
        f"{'data':<9} {name}: {num_bytes / 1e6:,.1f} MB from {host} into {short_path(target)} "
        "(once)\n"
    )
    sys.stdout.flush()
    try:
        prepare_public(public, name, target)
    except UserError as error:
        raise UserError(
            f"{error} (gm-jax help data says how to prepare {name} from files that are there)"
        ) from error


def prepared_or_made(name: str, version: str | None = None) -> Prepared:
    """As `require_prepared`, after `prepare_if_small`.

    Raises:
      UserError: as both do.
    """
    if version is None:
        prepare_if_small(name)
    return require_prepared(name, version)
