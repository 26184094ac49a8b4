"""Draws from a family, of any number: in chunks of bounded memory, by the seed alone.

The first chunk is drawn by the streams of the seed, as one call for as many would be. Each further
one is drawn whole by streams of its own, and cut to what is wanted. A draw of jax depends on its
key and its place in the array, so that of two draws by one seed the shorter is the beginning of the
longer; rounding apart, since XLA may add up in another order for another size.
"""

from collections.abc import Callable, Iterator

import jax
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment import MAX_SEED
from gm_jax.model import Family, TrainState, compiled, require
from gm_jax.rng import Rngs

_CHUNK_VALUES = 2**20
"""Of the images of a chunk together: 341 of 32x32x3, 1337 of 28x28. The largest networks, U-Nets of
128 channels, take 3 to 4 GB for so many; the others take less than 0.7 GB."""
_CHUNK_LEAST = 64  # images, however large


def chunk_size(spec: DataSpec) -> int:
    """How many images are drawn at once.

    Whole turns of the classes, so that they go on in turn from chunk to chunk.
    """
    size = max(_CHUNK_VALUES // spec.num_dims, _CHUNK_LEAST)
    classes = spec.num_classes or 1
    return -(-size // classes) * classes


def sample_rngs(seed: int) -> Rngs:
    """The streams of draws with this seed.

    Raises:
      UserError: for a seed that jax does not take.
    """
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"the seed must be 0 to {MAX_SEED}, not {seed}")
    return Rngs(jax.random.key(seed)).at("sample")


def draw(
    model: Family,
    state: TrainState,
    ability: str,
    num: int,
    seed: int,
    *condition: np.ndarray | None,
    watch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """What a family draws: the same for the same seed.

    Args:
      model: the family.
      state: of it.
      ability: "sample", "sample_means" or "draw_latents".
      num: how many.
      seed: of the draw.
      *condition: for "sample": labels int32 [num], or None.
      watch: is told after each chunk how many are done.

    Returns:
      [num, ...].

    Raises:
      UserError: the family cannot do it, no number or seed that can be, or more than memory holds.
    """
    require(model, state.spec, ability)
    size = chunk_size(state.spec)
    if num > size:
        labels = [_whole(c, 0, size) for c in condition]
        rngs, method = sample_rngs(seed), compiled(model, ability)
        drawn = _room(num, jax.eval_shape(lambda: method(state, rngs, size, *labels)))
    for start, part in draw_chunks(model, state, ability, num, seed, *condition):
        if num <= size:
            return part
        drawn[start : start + len(part)] = part
        if watch is not None:
            watch(start + len(part))
    return drawn


def draw_chunks(
    model: Family,
    state: TrainState,
    ability: str,
    num: int,
    seed: int,
    *condition: np.ndarray | None,
    wanted: Callable[[int, int], bool] = lambda start, end: True,
) -> Iterator[tuple[int, np.ndarray]]:
    """The same as `draw`, chunk by chunk, so that no more than one is held.

    Args:
      model: as in `draw`.
      state: as in `draw`.
      ability: as in `draw`.
      num: how many in all.
      seed: as in `draw`.
      *condition: as in `draw`.
      wanted: of the numbers of a chunk's first draw and of that behind its last one, whether it is
        drawn at all.

    Yields:
      The number of a chunk's first draw, and the chunk [n, ...].

    Raises:
      UserError: the family cannot do it, or no number or seed that can be.
    """
    require(model, state.spec, ability)
    if num < 1:
        raise UserError(f"the number of images must be at least 1, not {num}")
    rngs, size = sample_rngs(seed), chunk_size(state.spec)
    method = compiled(model, ability)
    at_once = min(num, size)
    for start in range(0, num, size):
        end = min(start + size, num)
        if not wanted(start, end):
            continue
        streams = rngs.at("chunk", start // size) if start else rngs
        labels = (_whole(c, start, at_once) for c in condition)
        drawn = np.asarray(method(state, streams, at_once, *labels))
        yield start, drawn[: end - start]


def _whole(condition: np.ndarray | None, start: int, size: int) -> np.ndarray | None:
    """The labels of a whole chunk; what is cut off afterwards gets the last one."""
    if condition is None:
        return None
    part = condition[start : start + size]
    return np.pad(part, (0, size - len(part)), mode="edge")


def _room(num: int, one: jax.ShapeDtypeStruct) -> np.ndarray:
    """Where `num` are put, of which a chunk looks like `one`.

    Raises:
      UserError: there is no memory for so many.
    """
    try:
        return np.empty((num, *one.shape[1:]), one.dtype)
    except (MemoryError, ValueError, OverflowError) as error:
        raise UserError(f"{num} are more than memory holds: draw fewer", "--num") from error
