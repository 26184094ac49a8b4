"""What a long evaluation has computed so far, kept in a run's folder: stopped, it goes on."""

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm_jax.data.store.kept import read_arrays
from gm_jax.whole_file import write_bytes

_SAVE_EVERY = 60.0  # seconds; what takes less leaves no file


class Unfinished(list[Mapping[str, Any]]):
    """Figures of the first batches of an evaluation, each by name float [B].

    The keys of a batch depend on nothing but the split and the batch, so that an evaluation that
    goes on ends with the numbers of a straight one.
    """

    def __init__(self, folder: Path, conditions: Mapping[str, Any]):
        """`conditions` tell one evaluation from another: plain values."""
        told = json.dumps(conditions, sort_keys=True)
        self.path = folder / f"unfinished-{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"
        arrays = read_arrays(self.path) or {}  # by name [batches, B]
        super().__init__(
            dict(zip(arrays, batch, strict=True)) for batch in zip(*arrays.values(), strict=True)
        )
        self._saved = time.monotonic()

    def append(self, figures: Mapping[str, Any], /) -> None:
        """Adds those of the next batch, and saves all where a minute has gone by.

        A folder that can't be written to, or a full disk, is no reason to stop: the evaluation is
        then as safe as it was.
        """
        super().append({name: np.asarray(values) for name, values in figures.items()})
        if time.monotonic() - self._saved < _SAVE_EVERY:
            return
        self._saved = time.monotonic()
        file = io.BytesIO()
        arrays = {name: np.stack([batch[name] for batch in self]) for name in figures}
        np.savez(file, **arrays)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            write_bytes(self.path, file.getvalue())

    def discard(self) -> None:
        """Once the whole evaluation is told elsewhere, its parts are of no use."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
