"""Folders of storms: `<storm>_<NNN>.jpg`, each with a `_features.json` and perhaps a label."""

import dataclasses
import itertools
import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gm_jax.data.store.walking import walk_files
from gm_jax.errors import UserError

_ENDINGS = (".jpg", ".jpeg", ".png")
_FEATURES, _LABEL = "_features.json", "_label.json"
NUM_OCEANS = 10
"""Oceans have numbers below this."""

_NAME = re.compile(r"(.+)_\d+")  # with its folder: two may hold storms of one name


@dataclasses.dataclass(frozen=True)
class Storm:
    """The frames of one storm, sorted by time.

    Attributes:
      id: of the storm.
      names: of the image files, below the folder.
      times: seconds, increasing.
      winds: knots, where any frame of the storm has a label; what is missing between is
        interpolated over time. Else None.
      oceans: the number of the ocean that each frame is over, 0 .. `NUM_OCEANS` - 1, or None.
    """

    id: str
    names: tuple[str, ...]
    times: tuple[float, ...]
    winds: tuple[float, ...] | None
    oceans: tuple[int | None, ...]

    def __len__(self) -> int:
        return len(self.names)


class StormFiles:
    """What lies in a folder of storms, and in the folders in it; what is hidden does not count.

    Attributes:
      path: of the folder.
      fingerprint: changes when a name, a size or a time of the files does.
    """

    def __init__(self, path: pathlib.Path):
        """Lists the files; reads none.

        Raises:
          UserError: it is no folder, or has no images.
        """
        self.path = path
        if not path.is_dir():
            raise UserError(f"{path} is no folder: give one with <storm>_<NNN>.jpg files")
        found = dict(walk_files(path, _is_wanted))
        self.fingerprint = repr(list(found.items()))
        self._names = set(found)
        self._images = [name for name in found if name.lower().endswith(_ENDINGS)]
        if not self._images:
            raise UserError(f"{path} holds no storms: there is no <storm>_<NNN>.jpg in it")

    def read(self) -> list[Storm]:
        """The storms, by their id; reads the json files.

        Raises:
          UserError: a json file is missing or makes no sense, or two frames of a storm have one
            time.
        """
        frames: dict[str, list[_Frame]] = {}
        for name in self._images:
            storm, frame = self._read_frame(name)
            frames.setdefault(storm, []).append(frame)
        return [self._sorted(storm, frames[storm]) for storm in sorted(frames)]

    def _read_frame(self, name: str) -> tuple[str, "_Frame"]:
        """The storm that a frame belongs to, and what is said of it."""
        stem = name.rpartition(".")[0]
        if stem + _FEATURES not in self._names:
            raise UserError(
                f"{self.path / name} has no {pathlib.PurePath(stem).name}{_FEATURES} beside it, "
                "so its time is not known"
            )
        features = self._read_json(stem + _FEATURES)
        time = self._number(stem + _FEATURES, features, "relative_time", "seconds")
        storm = features.get("storm_id")
        if storm in (None, "") and (match := _NAME.fullmatch(stem)):
            storm = match[1]
        if storm in (None, ""):
            raise UserError(
                f"{self.path / name} belongs to no storm: name it <storm>_<NNN>.jpg, or give its "
                f"{_FEATURES} a storm_id"
            )
        wind = None
        if stem + _LABEL in self._names:
            label = self._read_json(stem + _LABEL)
            wind = self._number(stem + _LABEL, label, "wind_speed", "knots")
        return str(storm), _Frame(time, name, wind, _ocean(features.get("ocean")))

    def _read_json(self, name: str) -> Mapping[str, Any]:
        path = self.path / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no JSON"
            raise UserError(f"{path} cannot be read: {reason}") from error
        if not isinstance(content, dict):
            raise UserError(f"{path} has to hold one JSON object, with names and values")
        return content

    def _number(self, file: str, content: Mapping[str, Any], name: str, unit: str) -> float:
        """A value that may be written as a number or as text."""
        if name not in content:
            raise UserError(f"{self.path / file} has no {name}")
        value = content[name]
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise UserError(
                f"{name} in {self.path / file} is {value!r}, which is no number of {unit}"
            )
        return number

    def _sorted(self, storm: str, frames: list["_Frame"]) -> Storm:
        frames = sorted(frames, key=lambda frame: frame[:2])
        for frame, other in itertools.pairwise(frames):
            if frame.time == other.time:
                raise UserError(
                    f"storm {storm} in {self.path} has two frames at {frame.time:g} s, "
                    f"{frame.name} and {other.name}: mend a relative_time, or remove one"
                )
        times, names, winds, oceans = zip(*frames, strict=True)
        return Storm(storm, names, times, _filled(times, winds), oceans)


class _Frame(NamedTuple):
    """What is said of a frame: seconds, its file, knots and an ocean where they are known."""

    time: float
    name: str
    wind: float | None
    ocean: int | None


def _is_wanted(name: str) -> bool:
    return not name.rpartition("/")[2].startswith(".") and name.lower().endswith(
        (*_ENDINGS, ".json")
    )


def _ocean(value: Any) -> int | None:
    """The number of an ocean, written as a number or as text; None for all else."""
    numbers = {str(number): number for number in range(NUM_OCEANS)}
    return numbers.get(str(value).strip())


def _filled(times: tuple[float, ...], winds: tuple[float | None, ...]) -> tuple[float, ...] | None:
    """Winds with those missing interpolated over time; None where there is none at all."""
    known = np.array([(t, w) for t, w in zip(times, winds, strict=True) if w is not None])
    if not len(known):
        return None
    return tuple(np.interp(times, known[:, 0], known[:, 1]).tolist())
