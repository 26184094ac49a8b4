"""TFDS split expressions ("train[:90%]+test[:100]") for data that TFDS does not hold."""

import re

import numpy as np

from gm_jax.errors import UserError


def full_names(expression: str) -> str:
    """The expression with "validation" where it says "valid": our own sources take both."""
    return re.sub(r"\bvalid\b", "validation", expression)


def split_indices(expression: str, sizes: dict[str, int]) -> list[tuple[str, np.ndarray]]:
    """The positions in each split that an expression picks out, in order.

    Args:
      expression: as in `tfds.load(split=...)`, or with "valid" for "validation".
      sizes: the number of examples of each split.

    Returns:
      One pair (split, int64 [n]) for each part of the expression.

    Raises:
      UserError: the expression cannot be read, or names a split that is not there.
    """
    import tensorflow_datasets as tfds

    infos = {
        name: tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0)
        for name, size in sizes.items()
    }
    try:
        parts = tfds.core.ReadInstruction.from_spec(full_names(expression)).to_absolute(infos)
    except (ValueError, KeyError, AssertionError, NotImplementedError) as error:
        raise bad_split(expression, sizes) from error
    return [
        (part.splitname, np.arange(sizes[part.splitname])[part.from_ : part.to]) for part in parts
    ]


def bad_split(expression: str, sizes: dict[str, int]) -> UserError:
    """The one line for an expression that cannot be read."""
    have = ", ".join(f"{name} ({size:,})" for name, size in sizes.items())
    return UserError(
        f"there is no split {expression!r}; the splits are {have}, "
        "and parts of them, such as train[:90%] or train[:1000]"
    )
