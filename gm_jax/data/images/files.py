"""The image files in a folder or in an archive: their names, and what they hold."""

import abc
import pathlib
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from gm_jax.data.store.walking import walk_files
from gm_jax.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")

_DAMAGES = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


class ImageFiles(abc.ABC):
    """The image files below a root; what is hidden or has another ending does not count.

    Attributes:
      path: of the folder or archive.
      names: of the image files, relative to the root, "/" between the parts; sorted.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.names: list[str] = []

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Changes when the files do: says their names, sizes and times."""

    @abc.abstractmethod
    def read(self) -> Iterator[tuple[str, bytes | Exception]]:
        """Each name with the file's content, or with what kept it from being read.

        Raises:
          UserError: the archive is damaged.
        """


def is_image_name(name: str) -> bool:
    """Whether a relative name ends as an image's does, and neither it nor a folder is hidden."""
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name.lower().endswith(ENDINGS)


def list_images(path: pathlib.Path) -> ImageFiles:
    """The image files of a folder or archive.

    Raises:
      UserError: it is neither, cannot be read, or has no images.
    """
    if path.is_dir():
        files: ImageFiles = _Folder(path)
    elif path.name.lower().endswith(ARCHIVES):
        files = _Zip(path) if path.name.lower().endswith(".zip") else _Tar(path)
    else:
        raise UserError(f"{path} is a single file: give a folder of images, or a .tar or .zip")
    if not files.names:
        endings = ", ".join(ENDINGS)
        raise UserError(f"{path} holds no images: no file in it ends in {endings}")
    return files


class _Folder(ImageFiles):
    def __init__(self, path: pathlib.Path):
        super().__init__(path)
        found = dict(walk_files(path, is_image_name))
        self.names = sorted(found)
        self._stats = [(name, *found[name]) for name in self.names]

    def fingerprint(self) -> str:
        return repr(self._stats)

    def read(self) -> Iterator[tuple[str, bytes | Exception]]:
        for name in self.names:
            try:
                yield name, (self.path / name).read_bytes()
            except OSError as error:
                yield name, error


class _Archive(ImageFiles):
    """Folders that everything in it lies in are left out of the names: pets.tar is like pets/."""

    def fingerprint(self) -> str:
        status = self.path.stat()
        return repr((status.st_size, status.st_mtime_ns))

    def _keep(self, members: Iterable[str]) -> dict[str, str]:
        """The members that are images, by name; of two of one name the later one counts."""
        found = {posixpath.normpath(member).lstrip("/"): member for member in members}
        found = {name: member for name, member in found.items() if is_image_name(name)}
        above = posixpath.commonpath([posixpath.dirname(name) for name in found] or [""])
        start = len(above) + 1 if above else 0
        found = {name[start:]: member for name, member in found.items()}
        self.names = sorted(found)
        return found

    def _damaged(self, error: Exception) -> UserError:
        reason = getattr(error, "strerror", None) or "it is damaged, or something else"
        return UserError(f"{self.path} cannot be read as an archive: {reason}")


class _Zip(_Archive):
    def __init__(self, path: pathlib.Path):
        super().__init__(path)
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info.filename for info in archive.infolist() if not info.is_dir()]
        except _DAMAGES as error:
            raise self._damaged(error) from error
        self._members = self._keep(members)

    def read(self) -> Iterator[tuple[str, bytes | Exception]]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                for name, member in self._members.items():
                    try:
                        content: bytes | Exception = archive.read(member)
                    except (*_DAMAGES, RuntimeError, KeyError) as error:  # RuntimeError: a password
                        content = error
                    yield name, content
        except _DAMAGES as error:
            raise self._damaged(error) from error


class _Tar(_Archive):
    def __init__(self, path: pathlib.Path):
        super().__init__(path)
        try:
            with tarfile.open(path) as archive:
                members = {info.name: info.offset_data for info in archive if info.isreg()}
        except _DAMAGES as error:
            raise self._damaged(error) from error
        kept = self._keep(members)
        self._names_at = {members[member]: name for name, member in kept.items()}

    def read(self) -> Iterator[tuple[str, bytes | Exception]]:
        # In the archive's own order, from front to end: a compressed one cannot go back.
        try:
            with tarfile.open(self.path) as archive:
                for info in archive:
                    if name := self._names_at.get(info.offset_data):
                        file = archive.extractfile(info)
                        assert file is not None
                        yield name, file.read()
        except _DAMAGES as error:
            raise self._damaged(error) from error
