"""Which split a file belongs to, by its name alone."""

import hashlib
import os
from collections.abc import Sequence

from gm_jax.errors import UserError

SPLITS = ("train", "validation", "test")


_OWN = {
    "train": "train",
    "valid": "validation",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}


def place_of(name: str) -> float:
    """A number in [0, 1) that depends on the name only."""
    return int.from_bytes(hashlib.sha1(os.fsencode(name)).digest()[:6]) / 2**48


def own_splits(names: Sequence[str]) -> dict[str, str]:
    """The splits that the folders at the top stand for, by folder.

    Empty unless every image lies in a folder named train, test, or valid, val or validation, and
    there is train and another one.
    """
    tops = {name.split("/")[0] if "/" in name else "" for name in names}
    found = {top: _OWN[top.lower()] for top in tops if top.lower() in _OWN}
    splits = set(found.values())
    return found if len(found) == len(tops) and "train" in splits and len(splits) > 1 else {}


def split_names(
    names: Sequence[str], valid_fraction: float, test_fraction: float
) -> dict[str, list[str]]:
    """The names in each split.

    A name's place in [0, 1) is drawn from a hash of it: the lowest are the test split, the next
    ones the validation split, the others the training split, so that adding an image moves no
    other. Where that leaves a split without any image, it gets one: of all images that with the
    lowest place for test, the next one for validation. Folders at the top that are named as splits
    are those splits; the ones that are missing are drawn from train.

    Args:
      names: of images that can be read.
      valid_fraction: of the validation split; 0 for none.
      test_fraction: of the test split; 0 for none.

    Raises:
      UserError: there are too few images for every split to have one.
    """
    own = own_splits(names)
    fractions = {"test": test_fraction, "validation": valid_fraction}
    drawn = [s for s, fraction in fractions.items() if fraction > 0 and s not in own.values()]
    found: dict[str, list[str]] = {split: [] for split in (*drawn, *own.values(), "train")}
    rest: list[str] = []
    for name in names:
        split = own.get(name.split("/")[0], "train")
        (rest if split == "train" else found[split]).append(name)
    rest.sort(key=lambda name: (place_of(name), name))
    if len(rest) <= len(drawn):
        raise UserError(
            f"at least {len(drawn) + 1} images are needed, one each for "
            f"{', '.join(['train', *reversed(drawn)])}; found {len(rest)}"
        )
    low = 0.0
    for count, split in enumerate(drawn, 1):
        low, high = low, low + fractions[split]
        inside = sum(place_of(name) < high for name in rest)
        # One at least for this split, and one for each that comes after it.
        inside = min(max(inside, 1), len(rest) - (len(drawn) - count) - 1)
        found[split], rest, low = rest[:inside], rest[inside:], high
    found["train"] = rest
    return {split: sorted(found[split]) for split in SPLITS if split in found}
