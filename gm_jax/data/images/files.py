"""The image files in a folder or in an archive: their names, and what they hold."""

import abc
import collections
import pathlib
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Container, Iterable, Iterator

from gm_jax.data.store.walking import walk_files
from gm_jax.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")

Content = bytes | pathlib.Path | Exception
"""Of a file: what is in it, where it lies, or what kept it from being read."""

# Formats of images that are not read, so that they can be named.
_OTHERS = (
    ".avif",
    ".dng",
    ".exr",
    ".heic",
    ".heif",
    ".ico",
    ".jp2",
    ".jxl",
    ".pgm",
    ".ppm",
    ".psd",
)
# Formats for which a Pillow may have been built without the library, by what it calls it.
_NEEDED = {".jpg": "jpg", ".jpeg": "jpg", ".png": "zlib", ".webp": "webp"}
_DAMAGES = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


class ImageFiles(abc.ABC):
    """The image files below a root; what is hidden or has another ending does not count.

    Attributes:
      path: of the folder or archive.
      names: of the image files, relative to the root, "/" between the parts; sorted.
      others: how many files there are of formats that are not read, by their endings.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.names: list[str] = []
        self.others: collections.Counter[str] = collections.Counter()

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Changes when the files do: says their names, sizes and times."""

    @abc.abstractmethod
    def read(self, known: Container[str] = ()) -> Iterator[tuple[str, Content]]:
        """Each name with the file's content, except those that are `known`.

        Raises:
          UserError: the archive is damaged.
        """

    def check_formats(self) -> None:
        """Looks whether Pillow can read what the files' endings say.

        Raises:
          UserError: it was built without a format.
        """
        from PIL import features

        counts = collections.Counter(map(_ending, self.names))
        for ending, library in _NEEDED.items():
            if counts[ending] and not features.check(library):
                raise UserError(
                    f"{self.path} holds {counts[ending]:,} {ending} files, and the Pillow that is "
                    "installed cannot read them: install another one, or convert or remove "
                    "the files"
                )

    def _count(self, name: str) -> bool:
        """Whether a name is an image's; one of another format is counted."""
        wanted = is_image_name(name)
        if not wanted and not _is_hidden(name) and _ending(name) in _OTHERS:
            self.others[_ending(name)] += 1
        return wanted


def is_image_name(name: str) -> bool:
    """Whether a relative name ends as an image's does, and neither it nor a folder is hidden."""
    return not _is_hidden(name) and name.lower().endswith(ENDINGS)


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
        hint = f", but {said}: convert them" if (said := said_others(files)) else ""
        raise UserError(f"{path} holds no images: no file in it ends in {endings}{hint}")
    return files


def said_others(files: ImageFiles) -> str:
    """The files of formats that are not read, such as "12 in .heic"; empty where there are none."""
    return ", ".join(f"{num:,} in {ending}" for ending, num in sorted(files.others.items()))


def _ending(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


class _Folder(ImageFiles):
    def __init__(self, path: pathlib.Path):
        super().__init__(path)
        found = dict(walk_files(path, self._count))
        self.names = sorted(found)
        self._stats = [(name, *found[name]) for name in self.names]

    def fingerprint(self) -> str:
        return repr(self._stats)

    def read(self, known: Container[str] = ()) -> Iterator[tuple[str, Content]]:
        return ((name, self.path / name) for name in self.names if name not in known)


class _Archive(ImageFiles):
    """Folders that everything in it lies in are left out of the names: pets.tar is like pets/."""

    def fingerprint(self) -> str:
        status = self.path.stat()
        return repr((status.st_size, status.st_mtime_ns))

    def _keep(self, members: Iterable[str]) -> dict[str, str]:
        """The members that are images, by name; of two of one name the later one counts."""
        found = {posixpath.normpath(member).lstrip("/"): member for member in members}
        found = {name: member for name, member in found.items() if self._count(name)}
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

    def read(self, known: Container[str] = ()) -> Iterator[tuple[str, Content]]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                for name, member in self._members.items():
                    if name in known:
                        continue
                    try:
                        content: Content = archive.read(member)
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

    def read(self, known: Container[str] = ()) -> Iterator[tuple[str, Content]]:
        # In the archive's own order, from front to end: a compressed one cannot go back.
        try:
            with tarfile.open(self.path) as archive:
                for info in archive:
                    name = self._names_at.get(info.offset_data)
                    if name is not None and name not in known:
                        file = archive.extractfile(info)
                        assert file is not None
                        yield name, file.read()
        except _DAMAGES as error:
            raise self._damaged(error) from error
