"""SEVIR's HDF5 files: events by their id, over the files of several sensors."""

import dataclasses
import pathlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from gm_jax.data.store.walking import walk_files
from gm_jax.errors import UserError, one_line

_ENDINGS = (".h5", ".hdf5")


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where an event lies: the file's name and the row in it."""

    file: str
    row: int


class SevirFiles:
    """The events that all the wanted types have, in the .h5 files of a folder and those in it.

    A file holds `id` [K] and, under the type's name, integers [K, H, W, T]. To be read from any
    thread.

    Attributes:
      path: of the folder.
      ids: of the events, sorted.
      shapes: of each type, (H, W, T).
      fingerprint: changes when the files do.
    """

    def __init__(self, path: pathlib.Path, types: Sequence[str]):
        """Reads the ids.

        Raises:
          UserError: there are no such files, one cannot be read or is not laid out so, a type is
            missing, or no event is there in every type.
        """
        self.path = path
        self._open: dict[str, Any] = {}
        self._lock = threading.Lock()
        if not path.is_dir():
            raise UserError(f"{path} is no folder: give the one that SEVIR's .h5 files lie in")
        found = dict(walk_files(path, _is_wanted))
        if not found:
            raise UserError(f"{path} holds no SEVIR files: no file in it ends in .h5")
        self.fingerprint = repr((str(path.resolve()), tuple(types), list(found.items())))
        self.shapes: dict[str, tuple[int, int, int]] = {}
        self._places: dict[str, dict[str, _Place | None]] = {name: {} for name in types}
        have = set()
        for name in found:
            have |= self._list(name)
        missing = [name for name in types if not self._places[name]]
        if missing:
            raise UserError(
                f"{path} has no {missing[0]} (it has {', '.join(sorted(have)) or 'no type'}): "
                f"{', '.join(types)} are needed"
            )
        # SEVIR has a few ids twice in one type, and which of them another type means is not known.
        known = [{i for i, place in self._places[name].items() if place} for name in types]
        self.ids = sorted(set.intersection(*known))
        if not self.ids:
            raise UserError(
                f"{path} has no event in common to {', '.join(types)}: no id is in the files of all"
            )
        lengths = {self.shapes[name][2] for name in types}
        if len(lengths) > 1:
            raise UserError(
                f"the types in {path} differ in their number of frames: "
                + ", ".join(f"{name} has {self.shapes[name][2]}" for name in types)
            )

    @property
    def num_frames(self) -> int:
        """Frames of an event, 5 minutes apart."""
        return next(iter(self.shapes.values()))[2]

    def read(self, name: str, event: str, start: int, stop: int) -> np.ndarray:
        """Frames start .. stop - 1 of an event, as they are stored: integers [n, H, W].

        Raises:
          UserError: the file is damaged.
        """
        place = self._places[name][event]
        assert place is not None
        try:
            values = self._file(place.file)[name][place.row, :, :, start:stop]
        except (OSError, RuntimeError, KeyError) as error:
            raise self._damaged(place.file, error) from error
        return np.moveaxis(values, -1, 0)

    def _file(self, name: str) -> Any:
        import h5py

        with self._lock:
            if name not in self._open:
                self._open[name] = h5py.File(self.path / name, "r")
            return self._open[name]

    def _list(self, file: str) -> set[str]:
        """Notes where the events of one file lie; returns the types in it."""
        try:
            content = self._file(file)
            ids = [_text(i) for i in content["id"][:]] if "id" in content else None
            names = {name for name in content if name != "id" and hasattr(content[name], "shape")}
            shapes = {name: content[name].shape for name in names & self._places.keys()}
        except (OSError, RuntimeError, KeyError) as error:
            raise self._damaged(file, error) from error
        for name, shape in shapes.items():
            if ids is None or len(shape) != 4 or shape[0] != len(ids):
                beside = "no id" if ids is None else f"{len(ids)} ids"
                raise UserError(
                    f"{self.path / file} is not laid out as SEVIR's: {name} {list(shape)} beside "
                    f"{beside}, not [K, H, W, T] and K ids"
                )
            if self.shapes.setdefault(name, shape[1:]) != shape[1:]:
                raise UserError(
                    f"{name} in {self.path / file} is {list(shape[1:])}, and in another file "
                    f"{list(self.shapes[name])}"
                )
            places = self._places[name]
            for row, event in enumerate(ids):
                places[event] = None if event in places else _Place(file, row)
        return names

    def _damaged(self, file: str, error: BaseException) -> UserError:
        return UserError(
            f"{self.path / file} cannot be read ({one_line(error)}): it is truncated or no HDF5 "
            "file; copy it again"
        )


def _is_wanted(name: str) -> bool:
    hidden = name.rpartition("/")[2].startswith(".")
    return not hidden and name.lower().endswith(_ENDINGS)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
