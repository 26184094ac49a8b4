"""Which split a row belongs to, by its number alone."""

import numpy as np

from gm_jax.errors import UserError
from gm_jax.rng import numpy_generator


def split_rows(
    num: int,
    valid_fraction: float,
    test_fraction: float,
    seed: int,
    kind: str = "rows",
    least_train: int = 1,
) -> dict[str, np.ndarray]:
    """The rows in each split: "train", and "validation" and "test" where they have a part.

    A row has a place in [0, 1) that is drawn by the seed and its number: the lowest are the test
    split, the next ones the validation split, the others the training split, so that rows added at
    the end move no other. Each split has one row at least.

    Args:
      num: how many rows there are.
      valid_fraction: of the validation split; 0 for none.
      test_fraction: of the test split; 0 for none.
      seed: of the places.
      kind: what rows are called in the message.
      least_train: rows that the training split needs.

    Returns:
      Numbers of rows, int64 [n] each.

    Raises:
      UserError: there are too few.
    """
    fractions = {"test": test_fraction, "validation": valid_fraction}
    drawn = [name for name, fraction in fractions.items() if fraction > 0]
    least = len(drawn) + least_train
    if num < least:
        more = f", and {least_train} for train" if least_train > 1 else ""
        names = ", ".join(["train", *reversed(drawn)])
        raise UserError(
            f"at least {least} {kind} are needed, one each for {names}{more}; found {num}"
        )
    places = numpy_generator(seed, "rows").random(num)
    order = np.argsort(places, kind="stable")
    found, start, end = {}, 0, 0.0
    for left, name in enumerate(drawn, 1):
        end += fractions[name]
        # One at least for this split, and for each that comes after it.
        stop = min(max(int((places < end).sum()), start + 1), num - (least - left))
        found[name] = np.sort(order[start:stop])
        start = stop
    found["train"] = np.sort(order[start:])
    return {name: found[name] for name in ("train", "validation", "test") if name in found}
