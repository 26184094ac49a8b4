"""Prepares the images of a folder as squares, once: a TFDS dataset that is read from then on."""

import contextlib
import io
import pathlib
import sys
import warnings
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from gm_jax.data.images.files import ImageFiles
from gm_jax.data.images.labels import Labels, label_names
from gm_jax.data.images.squares import decode_square, to_channels
from gm_jax.data.pixels import to_png, unreadable_reason
from gm_jax.data.store.making import preparing
from gm_jax.data.store.name_splits import split_names
from gm_jax.data.store.prepared import IMAGE_FOLDER
from gm_jax.data.store.threads import map_in_threads, progress_bar
from gm_jax.errors import UserError, one_line

REPORT = "data_report.txt"


class Recipe(NamedTuple):
    """What is made of the images; `ImageFolder` explains the fields."""

    size: int
    crop: bool
    channels: int | None
    background: tuple[int, ...]
    labels: Labels
    valid_fraction: float
    test_fraction: float


def prepare_images(
    files: ImageFiles, recipe: Recipe, target: pathlib.Path, config: str, stop: bool
) -> None:
    """Makes the dataset IMAGE_FOLDER/`config` in `target`, with a report of what could not be read.

    Args:
      files: the images.
      recipe: what is made of them.
      target: a folder that is there and can be written to.
      config: what this preparation is called.
      stop: whether a file that cannot be read ends it.

    Raises:
      UserError: none can be read, one cannot and `stop` is set, or there are too few for the
        splits.
    """
    with _naming(files.path):  # before hours of work
        label_names(files.names, recipe.labels)
    with preparing(target, f"{IMAGE_FOLDER}/{config}") as aside:
        with (aside / "squares").open("w+b") as spool:
            squares = _Squares(spool)
            unreadable = _decode_all(files, recipe, squares, stop)
            _write(aside, config, files.path, recipe, squares)
        if unreadable:
            lines = (f"{_plain(name)}: {reason}\n" for name, reason in sorted(unreadable.items()))
            report = aside / IMAGE_FOLDER / config / REPORT
            report.write_text("".join(lines), encoding="utf-8")
    if unreadable:
        sys.stderr.write(
            f"{len(unreadable):,} of {len(files.names):,} images of {files.path} cannot be read, "
            f"and are left out: see {target / IMAGE_FOLDER / config / REPORT}\n"
        )


class _Squares:
    """PNG files by name, one behind the other in one file on disk."""

    def __init__(self, spool: IO[bytes]):
        self._spool = spool
        self._places: dict[str, tuple[int, int]] = {}
        self.coloured = False

    @property
    def names(self) -> list[str]:
        return sorted(self._places)

    def add(self, name: str, pixels: np.ndarray) -> None:
        png = to_png(pixels)
        self._places[name] = (self._spool.seek(0, io.SEEK_END), len(png))
        self._spool.write(png)
        self.coloured = self.coloured or pixels.shape[-1] == 3

    def png(self, name: str, channels: int) -> bytes:
        """An image with so many channels."""
        from PIL import Image

        place, length = self._places[name]
        self._spool.seek(place)
        png = self._spool.read(length)
        with Image.open(io.BytesIO(png)) as image:
            if len(image.getbands()) == channels:
                return png
            return to_png(to_channels(np.asarray(image)[..., None], channels))


def _decode_all(files: ImageFiles, recipe: Recipe, squares: _Squares, stop: bool) -> dict[str, str]:
    """Fills `squares`; returns why the others cannot be read, by name."""

    def decode(item: tuple[str, bytes | Exception]) -> tuple[str, np.ndarray | str]:
        name, content = item
        if isinstance(content, Exception):
            return name, getattr(content, "strerror", None) or one_line(content)
        try:
            pixels = decode_square(content, recipe.size, recipe.crop, recipe.background)
        except Exception as error:  # whatever a decoder makes of damaged bytes
            return name, unreadable_reason(error)
        return name, to_channels(pixels, recipe.channels or pixels.shape[-1])

    unreadable = {}
    with warnings.catch_warnings(), progress_bar(files.path.name, len(files.names)) as advance:
        warnings.simplefilter("ignore")  # Pillow's, about what it mends
        for name, result in map_in_threads(decode, files.read()):
            advance()
            if isinstance(result, np.ndarray):
                squares.add(name, result)
            elif stop:
                raise stopped(files.path, f"{name}: {result}")
            else:
                unreadable[name] = result
    if not squares.names:
        name, reason = next(iter(unreadable.items()))
        raise UserError(
            f"no image of {files.path} can be read: {name} is the first of {len(unreadable):,} "
            f"({reason})"
        )
    return unreadable


def stopped(path: pathlib.Path, line: str) -> UserError:
    """The error for an image that cannot be read, from its line in the report."""
    name, _, reason = line.rpartition(": ")
    return UserError(
        f"{path / name} cannot be read ({reason}): mend or remove it, or leave such files out by "
        'unreadable="skip"',
        "--data.unreadable skip",
    )


def _write(
    aside: pathlib.Path, config: str, path: pathlib.Path, recipe: Recipe, squares: _Squares
) -> None:
    """Writes the dataset of the squares into `aside`."""
    import tensorflow_datasets as tfds

    from gm_jax.data.images.image_folder_builder.image_folder_dataset_builder import ImageFolder

    channels = recipe.channels or (3 if squares.coloured else 1)
    with _naming(path):
        splits = split_names(squares.names, recipe.valid_fraction, recipe.test_fraction)
        classes, labels = label_names(squares.names, recipe.labels)
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints
        ImageFolder(
            shape=(recipe.size, recipe.size, channels),
            splits=splits,
            classes=classes,
            labels=labels,
            png=lambda name: squares.png(name, channels),
            data_dir=aside / "tfds",
        ).download_and_prepare(file_format="array_record")
    # Named here: to TFDS a configuration that it does not know is worth a warning.
    (aside / IMAGE_FOLDER).mkdir()
    (aside / "tfds" / ImageFolder.name).rename(aside / IMAGE_FOLDER / config)


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Errors of names begin with the folder that they lie in."""
    try:
        yield
    except UserError as error:
        raise error.of(path) from error


def _plain(name: str) -> str:
    """A name on one line, with what is no UTF-8 in it spelt out."""
    name = name.replace("\n", "\\n")
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
