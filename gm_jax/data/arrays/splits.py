"""Which split an image of an array belongs to, by its place in the array alone."""

import numpy as np

from gm_jax.data.store.name_splits import SPLITS
from gm_jax.errors import UserError

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def places_of(num: int) -> np.ndarray:
    """The first numbers of SplitMix64 (Steele et al. 2014) with seed 0, in [0, 1): float64 [num].

    Number i depends on i only, so that images which are appended move no other.
    """
    with np.errstate(over="ignore"):
        z = np.arange(1, num + 1, dtype=np.uint64) * _GOLDEN
        for shift, factor in _MIX:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) / 2**53


def split_rows(num: int, fractions: dict[str, float], where: str) -> dict[str, np.ndarray]:
    """Rows 0 .. num - 1 in splits, each in their order.

    The rows with the lowest places are the split test, the next ones validation, the others train.
    One that would have no image gets one: of all that is left that with the lowest place.

    Args:
      num: how many images there are.
      fractions: of the splits that are wanted beside train; those of 0 are left out.
      where: they are from, for messages.

    Returns:
      int64 [n] by split.

    Raises:
      UserError: there are too few images for every split to have one.
    """
    drawn = [split for split in ("test", "validation") if fractions.get(split, 0) > 0]
    if num <= len(drawn):
        wanted = ", ".join(["train", *reversed(drawn)])
        raise UserError(
            f"{where}: at least {len(drawn) + 1} images are needed, one each for {wanted}; found "
            f"{num}"
        )
    places = places_of(num)
    order = np.argsort(places, kind="stable")
    found, start, high = {}, 0, 0.0
    for count, split in enumerate(drawn, 1):
        high += fractions[split]
        stop = int(np.searchsorted(places[order], high))
        # One at least for this split, and one for each that comes after it.
        stop = min(max(stop, start + 1), num - (len(drawn) - count) - 1)
        found[split], start = np.sort(order[start:stop]), stop
    found["train"] = np.sort(order[start:])
    return {split: found[split] for split in SPLITS if split in found}
