"""Omniglot, from its archives of drawings."""

import re
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from tensorflow_datasets.image_classification import omniglot as theirs

from gm_jax.data.store.public.from_files import FromFiles, Keyed

_ARCHIVES = {
    "train": "images_background.zip",
    "test": "images_evaluation.zip",
    "small1": "images_background_small1.zip",
    "small2": "images_background_small2.zip",
}
_DRAWING = re.compile(r"images_\w+/([^/]+)/character(\d+)/((\d+)_\d+\.png)")


class _Drawing(NamedTuple):
    """One file; counted from 0."""

    member: str
    alphabet: str
    character: int
    label: int
    file: str


class Omniglot(FromFiles, theirs.Omniglot):
    """TFDS's omniglot: black on white, 105x105, stored as the PNG files are."""

    name = "omniglot"

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Keyed]]:
        found = {split: self._drawings(split) for split in _ARCHIVES}
        everything = [drawing for drawings in found.values() for drawing in drawings]
        names = {d.label: f"{d.alphabet}_{d.character}" for d in everything}
        self.info.features["alphabet"].names = sorted({d.alphabet for d in everything})
        self.info.features["label"].names = [names[label] for label in sorted(names)]
        return {
            split: self._counted(self._read(split, drawings)) for split, drawings in found.items()
        }

    def _drawings(self, split: str) -> list[_Drawing]:
        with zipfile.ZipFile(self._files[_ARCHIVES[split]]) as archive:
            matches = [_DRAWING.fullmatch(name) for name in archive.namelist()]
        return [_Drawing(m[0], m[1], int(m[2]) - 1, int(m[4]) - 1, m[3]) for m in matches if m]

    def _read(self, split: str, drawings: list[_Drawing]) -> Iterator[Keyed]:
        with zipfile.ZipFile(self._files[_ARCHIVES[split]]) as archive:
            for d in drawings:
                example = {
                    "image": archive.read(d.member),
                    "alphabet": d.alphabet,
                    "alphabet_char_id": d.character,
                    "label": d.label,
                }
                yield f"{d.alphabet}_{d.character}_{d.file}", example
