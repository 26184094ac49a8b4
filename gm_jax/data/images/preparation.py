"""Prepares the images of a folder at one size, once: a TFDS dataset that is read from then on.

Images are decoded by several threads and lie on disk as they are done, so that an interrupted
preparation goes on where it was, and memory holds no more than a few images for each thread.
"""

import contextlib
import io
import json
import pathlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gm_jax.data.images.dataset import Dataset, write_dataset
from gm_jax.data.images.files import Content, ImageFiles, said_others
from gm_jax.data.images.labels import Labels, label_names
from gm_jax.data.images.squares import decode_box, has_16_bits, to_channels
from gm_jax.data.pixels import to_png, unreadable_reason
from gm_jax.data.store.making import preparing, resumable
from gm_jax.data.store.name_splits import split_names
from gm_jax.data.store.prepared import IMAGE_FOLDER
from gm_jax.data.store.spool import Spool
from gm_jax.data.store.threads import map_in_threads, progress_bar
from gm_jax.data.transforms import height_width
from gm_jax.errors import UserError, one_line

REPORT = "data_report.txt"
_FACTS = "facts.json"


class Recipe(NamedTuple):
    """What is made of the images; `ImageFolder` explains the fields."""

    size: int | tuple[int, int]
    crop: bool
    channels: int | None
    background: tuple[int, ...]
    labels: Labels
    valid_fraction: float
    test_fraction: float


class Facts(NamedTuple):
    """What is kept of a preparation beside its images.

    Attributes:
      wide: images that had 16 bits, of which the upper 8 are kept.
      others: files of formats that are not read, as `said_others` says it.
    """

    wide: int = 0
    others: str = ""


class _Result(NamedTuple):
    """What became of a file.

    Attributes:
      png: the image; empty where there is none.
      note: {"channels", "wide"} of an image, wide being whether it had 16 bits; else {"reason"}.
    """

    png: bytes
    note: dict[str, Any]


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
      UserError: none can be read, one cannot and `stop` is set, Pillow lacks a format, or there are
        too few for the splits.
    """
    with _naming(files.path):  # before hours of work
        label_names(files.names, recipe.labels)
    files.check_formats()
    with resumable(target, config) as partial, Spool(partial) as spool:
        _decode_all(files, recipe, spool, stop)
        notes = dict(spool.notes())
        unreadable = {name: note["reason"] for name, note in notes.items() if "reason" in note}
        images = {name: note for name, note in notes.items() if "reason" not in note}
        if not images:
            name, reason = next(iter(unreadable.items()))
            raise UserError(
                f"no image of {files.path} can be read: {name} is the first of "
                f"{len(unreadable):,} ({reason})"
            )
        with preparing(target, f"{IMAGE_FOLDER}/{config}") as aside:
            folder = aside / IMAGE_FOLDER / config
            _write(folder, files.path, recipe, spool, images)
            facts = Facts(sum(note["wide"] for note in images.values()), said_others(files))
            (folder / _FACTS).write_text(json.dumps(facts._asdict()))
            if unreadable:
                lines = (f"{_plain(name)}: {why}\n" for name, why in sorted(unreadable.items()))
                (folder / REPORT).write_text("".join(lines), encoding="utf-8")
    if unreadable:
        sys.stderr.write(
            f"{len(unreadable):,} of {len(files.names):,} images of {files.path} cannot be read, "
            f"and are left out: see {target / IMAGE_FOLDER / config / REPORT}\n"
        )


def read_facts(folder: pathlib.Path) -> Facts:
    """What is known of a preparation."""
    try:
        return Facts(**json.loads((folder / _FACTS).read_text()))
    except (OSError, ValueError, TypeError):  # of an earlier version
        return Facts()


def _decode_all(files: ImageFiles, recipe: Recipe, spool: Spool, stop: bool) -> None:
    """Puts every image that is not there yet into the spool, or why it cannot be read."""

    def decode(item: tuple[str, Content]) -> tuple[str, _Result]:
        name, content = item
        return name, _decoded(content, recipe)

    done = len(spool)
    if done:
        sys.stderr.write(
            f"the preparation of {files.path} goes on: {done:,} of {len(files.names):,} are done\n"
        )
    bar = progress_bar(files.path.name, len(files.names), done)
    with warnings.catch_warnings(), bar as advance:
        warnings.simplefilter("ignore")  # Pillow's, about what it mends
        waiting = ((name, content) for name, content in files.read(spool))
        for name, (png, note) in map_in_threads(decode, waiting):
            if stop and "reason" in note:
                raise stopped(files.path, f"{name}: {note['reason']}")
            spool.add(name, png, note)
            advance(1)


def _decoded(content: Content, recipe: Recipe) -> _Result:
    """What becomes of a file, in a thread of its own."""
    try:
        if isinstance(content, pathlib.Path):
            content = content.read_bytes()
    except OSError as error:
        content = error
    if isinstance(content, Exception):
        reason = getattr(content, "strerror", None) or one_line(content)
        return _Result(b"", {"reason": reason})
    try:
        pixels = decode_box(content, recipe.size, recipe.crop, recipe.background)
        wide = has_16_bits(content)
    except Exception as error:  # whatever a decoder makes of damaged bytes
        return _Result(b"", {"reason": unreadable_reason(error)})
    pixels = to_channels(pixels, recipe.channels or pixels.shape[-1])
    return _Result(to_png(pixels), {"channels": pixels.shape[-1], "wide": wide})


def stopped(path: pathlib.Path, line: str) -> UserError:
    """The error for an image that cannot be read, from its line in the report."""
    name, _, reason = line.rpartition(": ")
    return UserError(
        f"{path / name} cannot be read ({reason}): mend or remove it, or leave such files out by "
        'unreadable="skip"',
        "--data.unreadable skip",
    )


def _write(
    folder: pathlib.Path, path: pathlib.Path, recipe: Recipe, spool: Spool, images: dict[str, Any]
) -> None:
    """Writes the dataset of the images in a spool."""
    channels = recipe.channels or max(note["channels"] for note in images.values())
    names = sorted(images)
    with _naming(path):
        splits = split_names(names, recipe.valid_fraction, recipe.test_fraction)
        classes, labels = label_names(names, recipe.labels)

    def png(name: str) -> bytes:
        """An image with so many channels."""
        from PIL import Image

        if images[name]["channels"] == channels:
            return spool.read(name)
        with Image.open(io.BytesIO(spool.read(name))) as image:
            return to_png(to_channels(np.asarray(image)[..., None], channels))

    shape = (*height_width(recipe.size), channels)
    with progress_bar(path.name, len(names), verb="writing") as advance:
        dataset = Dataset(shape, splits, classes, labels, png)
        write_dataset(folder, IMAGE_FOLDER, dataset, advance)


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
