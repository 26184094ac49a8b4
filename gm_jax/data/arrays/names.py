"""Which arrays of a file are images and which are labels, by their names."""

import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple

from gm_jax.data.arrays.files import Stored
from gm_jax.errors import UserError

EVERYTHING = "all"
"""Stands for the split of images that are in no split yet."""

_KINDS = {
    "images": ("images", "image", "imgs", "img", "x", "data", "arr_0"),
    "labels": ("labels", "label", "y", "targets", "target", "arr_1"),
}
_SPLITS = {
    "train": "train",
    "valid": "validation",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}
_RANKS = (3, 4)


class Named(NamedTuple):
    """Names of arrays, by split: "train", "validation" and "test", or `EVERYTHING` alone.

    Attributes:
      images: of the images.
      labels: of their labels; empty where there are none.
    """

    images: dict[str, str]
    labels: dict[str, str]


def name_arrays(arrays: Mapping[str, Stored], where: str, images: str | None, labels: str) -> Named:
    """Finds images and labels.

    Images are called images, image, imgs, img, x, data or arr_0, and labels labels, label, y,
    targets, target or arr_1; behind or before a "_" may stand a split: train, valid, val,
    validation or test. If nothing has such a name, the only array of three or four axes counts.

    Args:
      arrays: by name.
      where: they are from, for messages.
      images: the name of the images, where it is known.
      labels: the name of the labels; "auto": it is to be found; "none": there are to be none.

    Raises:
      UserError: there are no images, or several arrays could be them, or could be their labels.
    """
    for name in (images, None if labels in ("auto", "none") else labels):
        if name not in (None, *arrays):
            raise UserError(f"{where} has no array {name}; it has: {_listed(arrays)}")
    found = {EVERYTHING: images} if images else _images(arrays, where)
    if labels == "none":
        return Named(found, {})
    if labels != "auto":
        if EVERYTHING not in found:
            raise UserError(f"{where} has splits, whose labels are found by their names")
        return Named(found, {EVERYTHING: labels})
    known = _of_kind(arrays, "labels", where)
    of_splits = {split: known[split] for split in found if split in known}
    missing = [split for split in found if split not in known]
    if of_splits and missing:
        raise UserError(
            f"{where} has labels of {found[next(iter(of_splits))]}, but none of "
            f'{found[missing[0]]}: add them, or leave all labels out by labels="none"',
            "--data.labels none",
        )
    return Named(found, of_splits)


def _images(arrays: Mapping[str, Stored], where: str) -> dict[str, str]:
    found = _of_kind(arrays, "images", where)
    if EVERYTHING in found:
        return {EVERYTHING: found[EVERYTHING]}
    if found and "train" not in found:
        name = next(iter(found.values()))
        raise UserError(f"{where} has {name}, but no images to train on, such as train_images")
    if found:
        return found
    likely = [name for name, array in arrays.items() if len(array.shape) in _RANKS]
    if len(likely) > 1:
        raise _ambiguous(where, "images", likely)
    if not likely:
        raise UserError(
            f"{where} holds no images: they are an array [N, H, W] or [N, H, W, C], and there is: "
            f"{_listed(arrays)}"
        )
    return {EVERYTHING: likely[0]}


def _of_kind(arrays: Mapping[str, Stored], kind: str, where: str) -> dict[str, str]:
    """Names by split; of several for one split those count whose number of axes fits."""
    names = "|".join(_KINDS[kind])
    splits = "|".join(_SPLITS)
    pattern = re.compile(rf"(?:({splits})_)?(?:{names})(?:_({splits}))?", re.IGNORECASE)
    found: dict[str, list[str]] = {}
    for name in arrays:
        match = pattern.fullmatch(name)
        if match is None or all(match.groups()):
            continue
        split = (match[1] or match[2] or "").lower()
        found.setdefault(_SPLITS.get(split, EVERYTHING), []).append(name)
    ranks = _RANKS if kind == "images" else (1,)
    for split, several in found.items():
        fitting = [name for name in several if len(arrays[name].shape) in ranks]
        if len(several) > 1 and len(fitting) != 1:
            raise _ambiguous(where, kind, several)
        found[split] = fitting if len(several) > 1 else several
    if EVERYTHING in found and len(found) > 1:
        raise _ambiguous(where, kind, [*itertools.chain.from_iterable(found.values())])
    return {split: several[0] for split, several in found.items()}


def _ambiguous(where: str, kind: str, names: list[str]) -> UserError:
    *others, last = names
    return UserError(
        f"{where} has {', '.join(others)} and {last}, which could all be the {kind}: say which by "
        f'{kind}="{names[0]}"',
        f"--data.{kind} {names[0]}",
    )


def _listed(arrays: Mapping[str, Stored]) -> str:
    return ", ".join(f"{name} {array}" for name, array in arrays.items()) or "nothing"
