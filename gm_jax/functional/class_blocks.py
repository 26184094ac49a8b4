"""A batch in blocks of one class each, so that no example meets the parameters of other classes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class ClassBlocks(NamedTuple):
    """Blocks of fixed size; every example of the batch is in one of them.

    Attributes:
      label: the class of a block, int32 [N].
      indices: of its examples in the batch, int32 [N, S].
      mask: False where the index is padding, bool [N, S].
    """

    label: Array
    indices: Array
    mask: Array


def class_blocks(labels: Array, num_classes: int, size: int) -> ClassBlocks:
    """Sorts a batch by class and cuts it; may be jitted, as N depends on shapes alone.

    A class whose examples do not fill its last block leaves the rest of it empty, so at most
    `num_classes` blocks more are needed than without classes.

    Args:
      labels: integers in [0, num_classes), [B].
      num_classes: C.
      size: S, examples in a block.

    Returns:
      N = floor(B / S) + C blocks; those that are not needed are all padding.
    """
    order = jnp.argsort(labels, stable=True)  # [B]
    count = jnp.bincount(labels, length=num_classes)  # [C]
    blocks = -(-count // size)
    first, last = jnp.cumsum(blocks) - blocks, jnp.cumsum(blocks)  # of each class
    block = jnp.arange(labels.shape[0] // size + num_classes)  # [N]
    label = jnp.searchsorted(last, block, side="right").clip(max=num_classes - 1)
    place = ((block - first[label]) * size)[:, None] + jnp.arange(size)[None]  # [N, S]
    mask = place < count[label][:, None]
    start = (jnp.cumsum(count) - count)[label][:, None]
    index = order[jnp.where(mask, start + place, 0)]
    return ClassBlocks(label.astype(jnp.int32), index.astype(jnp.int32), mask)
