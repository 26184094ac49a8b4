"""Where data are looked for, and where our own are kept."""

import os
import pathlib

from gm_jax.errors import UserError


def cache_dir() -> pathlib.Path:
    """The user's own folder, `~/.cache/gm_jax/data`; it may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "gm_jax" / "data"


def data_dirs() -> tuple[pathlib.Path, ...]:
    """The folders data are looked for in, in this order; they need not exist.

    `$GM_JAX_DATA/tfds`, `$GM_JAX_DATA`, `$TFDS_DATA_DIR`, `~/tensorflow_datasets`, and the cache.
    """
    dirs = []
    if root := os.environ.get("GM_JAX_DATA"):
        dirs += [pathlib.Path(root).expanduser() / "tfds", pathlib.Path(root).expanduser()]
    if root := os.environ.get("TFDS_DATA_DIR"):
        dirs.append(pathlib.Path(root).expanduser())
    dirs += [pathlib.Path("~/tensorflow_datasets").expanduser(), cache_dir()]
    return tuple(dict.fromkeys(dirs))


def is_writable(folder: pathlib.Path) -> bool:
    """Whether `folder` can be written to; it is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def find_path(path: pathlib.Path | str, kind: str = "folder or archive") -> pathlib.Path:
    """Where a path given by a user is: from the working folder, or else from a data folder.

    Args:
      path: as it was given.
      kind: what it is the path of, for the message.

    Raises:
      UserError: there is no such file or folder.
    """
    path = pathlib.Path(path).expanduser()
    places = [path] if path.is_absolute() else [path, *(folder / path for folder in data_dirs())]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        looked = "" if path.is_absolute() else ", here or in " + ", ".join(map(str, data_dirs()))
        raise UserError(f"there is no {kind} {path}{looked}")
    return found


def short_path(path: pathlib.Path) -> str:
    """A path as a user would write it."""
    absolute = path.absolute()
    for base, sign in ((pathlib.Path.cwd(), ""), (pathlib.Path.home(), "~")):
        if absolute.is_relative_to(base):
            return str(sign / absolute.relative_to(base))
    return str(path)
