"""Which label an image has, by its name alone."""

from collections.abc import Sequence
from typing import Literal

from gm_jax.data.store.name_splits import own_splits
from gm_jax.errors import UserError

Labels = Literal["auto", "folder", "none"]


def label_names(names: Sequence[str], labels: Labels) -> tuple[list[str], dict[str, int]]:
    """The labels that the folders give which images lie in.

    Args:
      names: of the images.
      labels: "auto": labels if all images lie in folders, and in two or more; "folder": that all
        lie in folders is required; "none".

    Returns:
      The names of the folders, sorted, and each image's place among them; both empty where there
      are no labels.

    Raises:
      UserError: there have to be labels, and an image lies in no folder.
    """
    depth = 1 if own_splits(names) else 0
    outside = next((name for name in names if name.count("/") <= depth), None)
    if labels == "folder" and outside is not None:
        raise UserError(f"{outside} lies in no folder that could be its label")
    if labels == "none" or outside is not None:
        return [], {}
    folders = {name: name.split("/")[depth] for name in names}
    classes = sorted(set(folders.values()))
    if labels == "auto" and len(classes) < 2:
        return [], {}
    numbers = {folder: number for number, folder in enumerate(classes)}
    return classes, {name: numbers[folder] for name, folder in folders.items()}
