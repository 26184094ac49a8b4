"""How many parameters a checkpoint holds, by the shapes in it. Needs no jax."""

import json
import math
from pathlib import Path

_STATE = "default"  # Orbax's name of the one item
_SHAPES = (".zarray", "zarr.json")  # of zarr 2 and of zarr 3


def count_parameters(checkpoint: Path) -> int | None:
    """The size of all arrays below `params`; None where that can't be read.

    Args:
      checkpoint: its folder, such as RUN/checkpoints/3000.
    """
    import tensorstore

    spec = {"driver": "ocdbt", "base": f"file://{(checkpoint / _STATE).resolve()}/"}
    try:
        store = tensorstore.KvStore.open(spec).result()
        keys = [key.decode() for key in store.list().result()]
        if not keys:  # nothing lies there
            return None
        reads = [
            store.read(key) for key in keys if key.startswith("params.") and key.endswith(_SHAPES)
        ]
        return sum(math.prod(json.loads(read.result().value)["shape"]) for read in reads)
    except (ValueError, KeyError, TypeError):  # absent, damaged, or of another layout
        return None
