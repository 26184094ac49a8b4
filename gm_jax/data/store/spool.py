"""Records by name in one file, with a journal, so that an interrupted process is gone on from."""

import json
import os
import pathlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self


class _Entry(NamedTuple):
    place: int
    length: int
    note: Any


class Spool:
    """Bytes by name, one behind the other on disk; only their places are in memory.

    For one process at a time. A process may be killed at any moment: of what it wrote, the records
    that are whole are there for the next one.
    """

    def __init__(self, folder: pathlib.Path):
        """Opens what is in `folder`, which has to be there; what is cut short is dropped."""
        self._entries: dict[str, _Entry] = {}
        self._records = _opened(folder / "records")
        self._journal = _opened(folder / "journal.jsonl")
        size = self._records.seek(0, os.SEEK_END)
        self._end = good = 0
        for line in self._journal:
            try:
                name, place, length, note = json.loads(line)
            except ValueError:
                break
            if place != self._end or place + length > size or not line.endswith(b"\n"):
                break
            self._entries[name] = _Entry(place, length, note)
            self._end += length
            good += len(line)
        for file, end in ((self._records, self._end), (self._journal, good)):
            file.truncate(end)
            file.seek(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._records.close()
        self._journal.close()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def add(self, name: str, record: bytes, note: Any) -> None:
        """Adds a record under a new name, with a note on it of plain values."""
        if self._records.tell() != self._end:  # something was read
            self._records.seek(self._end)
        self._records.write(record)
        entry = _Entry(self._end, len(record), note)
        self._journal.write(json.dumps([name, *entry]).encode() + b"\n")
        self._entries[name] = entry
        self._end += len(record)

    def notes(self) -> Iterator[tuple[str, Any]]:
        """Each name with its note, in the order in which they were added."""
        return ((name, entry.note) for name, entry in self._entries.items())

    def read(self, name: str) -> bytes:
        """The record of a name."""
        entry = self._entries[name]
        self._records.seek(entry.place)
        return self._records.read(entry.length)


def _opened(path: pathlib.Path) -> Any:
    path.touch()
    return path.open("r+b")
