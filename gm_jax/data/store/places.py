"""Where data are looked for, and where our own are kept."""

import os
import pathlib


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
