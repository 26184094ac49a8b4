"""Prepares the frames of storms once: PNG files of one size in an array_record, and their times."""

import dataclasses
import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gm_jax.data.pixels import to_png
from gm_jax.data.sequences.storm_files import Storm
from gm_jax.data.sequences.storm_frames import Cut, check_same_size, decode_frame
from gm_jax.data.store.making import hold, making
from gm_jax.data.store.threads import map_in_threads, progress_bar
from gm_jax.errors import UserError, one_line

_RECORDS, _TABLE = "frames.array_record", "storms.json"


def prepare_storms(
    path: pathlib.Path, storms: Sequence[Storm], cut: Cut, target: pathlib.Path
) -> None:
    """Makes the folder `target`; several processes may do so at once: the first one wins.

    Args:
      path: of the folder of storms.
      storms: in it.
      cut: what is made of every frame.
      target: where the preparation is to be.

    Raises:
      UserError: a frame cannot be read, or they differ in size.
    """
    from array_record.python import array_record_module

    paths = [path / name for storm in storms for name in storm.names]
    first = (paths[0], decode_frame(paths[0], cut))

    def encode(frame: pathlib.Path) -> bytes:
        pixels = decode_frame(frame, cut)
        check_same_size(first, (frame, pixels))
        return to_png(pixels)

    target.parent.mkdir(parents=True, exist_ok=True)
    with making(target.parent, target.name, lambda: PreparedStorms.exists(target)) as aside:
        folder = aside / target.name
        folder.mkdir()
        # One frame a group: they are read at random.
        writer = array_record_module.ArrayRecordWriter(str(folder / _RECORDS), "group_size:1")
        try:
            with progress_bar(path.name, len(paths)) as advance:
                for png in map_in_threads(encode, paths):
                    writer.write(png)
                    advance(1)
        finally:
            writer.close()
        table = {"shape": first[1].shape, "storms": [dataclasses.asdict(s) for s in storms]}
        (folder / _TABLE).write_text(json.dumps(table))


class PreparedStorms:
    """What `prepare_storms` made; to be read from any thread.

    Attributes:
      folder: of the preparation.
      storms: the storms, by their id; their frames lie one behind the other.
      shape: of a frame, [H, W, C].
    """

    def __init__(self, folder: pathlib.Path):
        """Opens a preparation.

        Raises:
          UserError: it is damaged.
        """
        from array_record.python import array_record_data_source

        self.folder = folder
        try:
            table = json.loads((folder / _TABLE).read_text())
            self.shape: tuple[int, int, int] = tuple(table["shape"])
            self.storms = [_storm(entry) for entry in table["storms"]]
            self._records = array_record_data_source.ArrayRecordDataSource(str(folder / _RECORDS))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise self._damaged(error) from error
        if len(self._records) != sum(map(len, self.storms)):
            raise self._damaged(ValueError("frames are missing"))
        hold(folder, self)

    @staticmethod
    def exists(folder: pathlib.Path) -> bool:
        """Whether there is one."""
        return (folder / _TABLE).is_file()

    def frames(self, numbers: Sequence[int]) -> np.ndarray:
        """Frames by their place in all storms together: uint8 [n, H, W, C].

        Raises:
          UserError: the preparation is damaged.
        """
        from PIL import Image

        try:
            out = np.empty((len(numbers), *self.shape), np.uint8)
            for place, png in enumerate(self._records.__getitems__(list(numbers))):
                with Image.open(io.BytesIO(png)) as file:
                    out[place] = np.asarray(file).reshape(self.shape)
        except (RuntimeError, OSError, ValueError) as error:
            raise self._damaged(error) from error
        return out

    def _damaged(self, error: BaseException) -> UserError:
        return UserError(
            f"the preparation in {self.folder} is damaged ({one_line(error)}); delete that folder "
            "and give the same command again"
        )


def _storm(entry: dict[str, Any]) -> Storm:
    winds = entry["winds"]
    return Storm(
        entry["id"],
        tuple(entry["names"]),
        tuple(entry["times"]),
        None if winds is None else tuple(winds),
        tuple(entry["oceans"]),
    )
