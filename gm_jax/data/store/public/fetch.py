"""One file from the web: resumed where it was cut short, from the next address where one fails."""

import hashlib
import http.client
import pathlib
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

from gm_jax.data.store.public.files import OriginalFile
from gm_jax.errors import UserError, one_line

_TIMEOUT = 30.0  # seconds without a byte
_PAUSE = 1.0  # seconds before a server is asked for the rest
_BLOCK = 1 << 16


class _Refused(Exception):
    """An address does not give the file; the message says why in a few words."""


def fetch(file: OriginalFile, folder: pathlib.Path, watch: Callable[[int], None]) -> pathlib.Path:
    """Downloads a file, or takes the one that is there already.

    What has come stays in NAME.part until the file is whole, so that the next call goes on from
    there. A server that closes the connection is asked for the rest as long as more comes of it.

    Args:
      file: which.
      folder: where to; must be there.
      watch: is told how many bytes of the file are there.

    Returns:
      Its path; the content has the file's digest.

    Raises:
      UserError: no address gives the file.
      OSError: it cannot be written.
    """
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.exists():
        if has_digest(path, file):
            watch(file.size)
            return path
        path.unlink()
    reasons = dict[str, str]()
    for url in file.urls:
        before, after = -1, _size(part)
        # Again as long as more comes; and from the start where what was there was no good.
        while after > before or (before > 0 and not after):
            if before >= 0:
                time.sleep(_PAUSE)
            before = after
            try:
                _receive(url, file, part, watch)
            except _Refused as error:
                reasons[str(urllib.parse.urlsplit(url).netloc)] = str(error)
            else:
                part.rename(path)
                return path
            after = _size(part)
    hosts = {reason: [h for h in reasons if reasons[h] == reason] for reason in reasons.values()}
    said = "; ".join(f"{', '.join(found)}: {reason}" for reason, found in hosts.items())
    raise UserError(f"{file.name} cannot be downloaded: {said}", "--from FOLDER")


def has_digest(path: pathlib.Path, file: OriginalFile) -> bool:
    """Whether a file on disk is the one that is meant."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _receive(
    url: str, file: OriginalFile, part: pathlib.Path, watch: Callable[[int], None]
) -> None:
    """Completes `part` from an address.

    Raises:
      _Refused: it is not whole afterwards; what is there of it is kept, unless it is no good.
      OSError: it cannot be written.
    """
    have = _size(part)
    if have >= file.size and not has_digest(part, file):
        part.unlink()
        have = 0
    watch(have)
    if have == file.size:
        return
    try:
        with part.open("ab") as out:
            for block in _blocks(url, have, file.size):
                out.write(block)
                have += len(block)
                watch(have)
    finally:
        if not _size(part):
            part.unlink(missing_ok=True)
    if not has_digest(part, file):
        part.unlink()
        watch(0)
        raise _Refused("sends other content (its SHA-256 is not the one that TFDS has)")


def _blocks(url: str, start: int, size: int) -> Iterator[bytes]:
    """The bytes of what an address has, from `start` on.

    Raises:
      _Refused: it is not there, is not of this size, or ends early.
    """
    headers = {"User-Agent": "gm_jax"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            # A server that knows no ranges sends all of it again.
            at = start if response.status == 206 else 0
            length = response.headers.get("Content-Length")
            if length is not None and at + int(length) != size:
                raise _Refused(f"sends a file of {at + int(length):,} bytes, not {size:,}")
            while at < size and (block := response.read(min(_BLOCK, size - at))):
                at += len(block)
                if at > start:
                    yield block[-(at - start) :] if at - len(block) < start else block
            if at < size:
                raise _Refused(f"the connection ended after {at:,} of {size:,} bytes")
    except urllib.error.HTTPError as error:
        raise _Refused(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Refused(_why(error.reason)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _Refused(one_line(error)) from error


def _why(reason: str | BaseException) -> str:
    if isinstance(reason, socket.gaierror):
        return "no network, or no such server"
    return getattr(reason, "strerror", None) or str(reason)


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0
