"""What a long evaluation has computed so far, kept in a run's folder: stopped, it goes on."""

import contextlib
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm_jax.whole_file import write_bytes

_SAVE_EVERY = 60.0  # seconds; what takes less leaves no file


class Unfinished:
    """Figures of the first batches of an evaluation, by name float [B].

    The keys of a batch depend on nothing but the split and the batch, so that an evaluation that
    goes on ends with the numbers of a straight one.
    """

    def __init__(self, folder: Path, conditions: Mapping[str, Any]):
        """`conditions` tell one evaluation from another: plain values."""
        told = json.dumps(conditions, sort_keys=True)
        self.path = folder / f"unfinished-{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"
        self._batches = _read(self.path)
        self._saved = time.monotonic()

    def __len__(self) -> int:
        """How many batches are known."""
        return len(self._batches)

    def __getitem__(self, i: int) -> dict[str, np.ndarray]:
        """The figures of batch i."""
        return self._batches[i]

    def append(self, figures: Mapping[str, Any]) -> None:
        """Adds those of the next batch, and saves all where a minute has gone by.

        A folder that can't be written to, or a full disk, is no reason to stop: the evaluation is
        then as safe as it was.
        """
        self._batches.append({name: np.asarray(values) for name, values in figures.items()})
        if time.monotonic() - self._saved < _SAVE_EVERY:
            return
        self._saved = time.monotonic()
        arrays = {f"{i}/{name}": v for i, of in enumerate(self._batches) for name, v in of.items()}
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            write_bytes(self.path, file.getvalue())

    def remove(self) -> None:
        """Once the whole evaluation is told elsewhere, its parts are of no use."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _read(path: Path) -> list[dict[str, np.ndarray]]:
    """The batches of a file; none where there is none, or it is damaged."""
    batches: list[dict[str, np.ndarray]] = []
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            for key in arrays.files:
                i, name = key.split("/", 1)
                if int(i) == len(batches):
                    batches.append({})
                batches[int(i)][name] = arrays[key]
    except (OSError, ValueError, IndexError, EOFError, zipfile.BadZipFile):
        return []
    return batches
