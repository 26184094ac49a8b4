"""The SHA-256 of each file of a checkpoint: written with it, checked whenever it is read."""

import hashlib
import os
import re
from pathlib import Path

DIGESTS = "SHA256SUMS"
"""In the folder of a checkpoint; `sha256sum --check SHA256SUMS` reads it too."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class DamageError(Exception):
    """A file is not what was written; the message names it."""


def write_digests(folder: Path) -> None:
    """Writes the digests of all files below `folder`, safe on disk when this returns."""
    lines = [f"{_digest(folder / name)}  {name}\n" for name in _names(folder)]
    with (folder / DIGESTS).open("w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def check_digests(folder: Path, only: str | None = None) -> None:
    """Compares the files below `folder` with what was written.

    A folder of before there were digests passes: Orbax's own record at its top tells it from one
    whose digests were lost.

    Args:
      folder: of a checkpoint.
      only: the one file to compare; None: all of them.

    Raises:
      DamageError: a file was changed, is missing, or is one too many.
      OSError: a file can't be read.
    """
    if not (folder / DIGESTS).exists() and (folder / "_CHECKPOINT_METADATA").exists():
        return
    digests, names = _read(folder), _names(folder)
    for name in [only] if only is not None else sorted({*digests, *names}):
        if name not in names:
            if name in digests:
                raise DamageError(f"damaged: {name} is missing")
        elif name not in digests:
            raise DamageError(f"damaged: {name} was not there when it was written")
        elif _digest(folder / name) != digests[name]:
            raise DamageError(f"damaged: {name} is not what was written")


def _read(folder: Path) -> dict[str, str]:
    try:
        text = (folder / DIGESTS).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DamageError(f"damaged: {DIGESTS} is missing") from error
    except UnicodeDecodeError as error:
        raise DamageError(f"damaged: {DIGESTS} holds no digests") from error
    matches = [_LINE.fullmatch(line) for line in text.splitlines()]
    found = {match[2]: match[1] for match in matches if match}
    if not found or len(found) < len(matches):
        raise DamageError(f"damaged: {DIGESTS} holds no digests")
    return found


def _names(folder: Path) -> list[str]:
    """All files below a folder but the digests, and but hidden ones, which file browsers leave."""
    paths = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    ]
    return sorted(name for name in paths if name != DIGESTS)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
