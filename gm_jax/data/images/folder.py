"""A folder of images of one's own, or an archive of them, as a source."""

import dataclasses
import pathlib
from typing import Literal

from gm_jax.data.images.files import list_images
from gm_jax.data.images.labels import Labels
from gm_jax.data.images.preparation import REPORT, Recipe, prepare_images, read_facts, stopped
from gm_jax.data.source import Examples, Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.store.making import hold, preparation_folder, preparation_name, remove_others
from gm_jax.data.store.name_splits import SPLITS
from gm_jax.data.store.places import cache_dir, find_path, short_path
from gm_jax.data.store.prepared import IMAGE_FOLDER, Prepared, find_prepared
from gm_jax.data.store.tfds import PreparedExamples, prepared_spec
from gm_jax.errors import (
    ConfigError,
    check_parts,
    check_positive,
)

Channels = Literal["auto", 1, 3]
Unreadable = Literal["skip", "stop"]

_FORMAT = 1  # goes up when the same files give another dataset than before


@dataclasses.dataclass(frozen=True)
class ImageFolder(Source):
    """Images of one's own, 256 levels, at one size; splits "train", "validation", "test".

    jpg, png, webp, gif, bmp and tif files of any size (of several frames or pages the first), in a
    folder and the folders in it, or in a .tar, .tar.gz, .tgz or .zip. They are prepared when they
    are first read, and again when the files have changed. `docs/data.md` says how they are split
    and labelled.
    """

    path: pathlib.Path | str
    """Of the folder or archive: from the working folder, or else from a data folder."""
    size: int | tuple[int, int] = 64
    """Height and width the images get, or one number for both."""
    crop: bool = True
    """Whether the largest part in the middle of those proportions is taken, such as a square; else
    the whole image is squeezed."""
    channels: Channels = "auto"
    """1: grey, 3: colour, auto: grey if all images are."""
    background: tuple[int, int, int] = (255, 255, 255)
    """Red, green and blue that shine through where an image is transparent."""
    labels: Labels = "auto"
    """folder: the folder at the top that an image lies in; none; auto: folder, if all images lie in
    folders, and in two or more."""
    valid_fraction: float = 0.10
    """Of the images, for the split validation."""
    test_fraction: float = 0.05
    """Of the images, for the split test."""
    unreadable: Unreadable = "skip"
    """What is done about files that cannot be read: they are left out, or it is an error."""

    def __post_init__(self) -> None:
        check_image_fields(self)

    @property
    def spec(self) -> DataSpec:
        return prepared_spec(self._prepared())

    def open(self, split: str) -> Examples:
        prepared = self._prepared()
        examples = PreparedExamples(prepared, split)
        hold(prepared.path.parent, examples)
        return examples

    def summary(self) -> str:
        """One line: how many images, labels and unreadable files, and how they are split."""
        prepared = self._prepared()
        classes = prepared_spec(prepared).num_classes
        report = prepared.path.parent / REPORT
        facts = [
            f"{sum(prepared.splits.values()):,} images",
            "no labels" if classes is None else f"{classes} labels",
        ]
        kept = read_facts(prepared.path.parent)
        if kept.wide:
            facts.append(f"{kept.wide:,} of 16 bits (the upper 8 are kept: 256 levels)")
        if kept.others:
            facts.append(f"{kept.others} not read")
        if lines := _lines(report):
            facts.append(f"{len(lines):,} unreadable (listed in {short_path(report)})")
        sizes = (f"{prepared.splits[s]:,} {s}" for s in SPLITS if s in prepared.splits)
        return f"{short_path(find_path(self.path))}: {', '.join(facts)}; {' / '.join(sizes)}"

    def _prepared(self) -> Prepared:
        """The preparation of the files as they are now; made if there is none."""
        path = find_path(self.path)
        files = list_images(path)
        config = preparation_name(path, _FORMAT, self._recipe, files.fingerprint())
        beside = path.resolve().parent / ".gm_jax"
        for folder in (beside, cache_dir()):
            if prepared := find_prepared(f"{IMAGE_FOLDER}/{config}", dirs=(folder,)):
                break
        else:
            folder = preparation_folder(beside)
            stop = self.unreadable == "stop"
            prepare_images(files, self._recipe, folder, config, stop)
            remove_others(folder / IMAGE_FOLDER / config)
            prepared = find_prepared(f"{IMAGE_FOLDER}/{config}", dirs=(folder,))
            assert prepared is not None
        if self.unreadable == "stop" and (lines := _lines(prepared.path.parent / REPORT)):
            raise stopped(path, lines[0])
        return prepared

    @property
    def _recipe(self) -> Recipe:
        return Recipe(
            self.size,
            self.crop,
            None if self.channels == "auto" else self.channels,
            self.background,
            self.labels,
            self.valid_fraction,
            self.test_fraction,
        )


def check_image_fields(config: object) -> None:
    """Checks the fields that `ImageFolder` and `ImageData` have in common; raises ConfigError."""
    size = config.size  # type: ignore[attr-defined]
    if isinstance(size, tuple) and size[0] == size[1]:  # one preparation, however it is written
        object.__setattr__(config, "size", size[0])
    check_positive(config, "size")
    check_parts(config, "valid_fraction", "test_fraction")
    name = type(config).__name__
    background = config.background  # type: ignore[attr-defined]
    if len(background) != 3 or not all(v in range(256) for v in background):
        raise ConfigError(f"{name}.background must be three numbers 0 to 255, not {background}")


def _lines(report: pathlib.Path) -> list[str]:
    return report.read_text(encoding="utf-8").splitlines() if report.exists() else []
