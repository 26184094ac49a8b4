"""What a source of data is: a config that opens a split as a sequence of examples."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm_jax.config_types import Config
from gm_jax.data.spec import DataSpec

Example = Mapping[str, Any]
"""One example: "image" uint8 [H, W, C] (float32 where it is a point), "label" int if any.

Of a sequence, "image" is uint8 [M, H, W, C], the wanted frames. The extras of the spec come beside
it, by their names.
"""


class Examples(abc.ABC):
    """A split of a source: a sequence of examples with random access, safe to read from threads.

    A class derived from it has `__len__`, and `__getitem__` or `take`: each has the other for a
    default.
    """

    fingerprint: str | None = None
    """Changes when the examples do; None where reading them is so quick that none is needed."""

    worth_keeping: int = 4096
    """From so many on they are kept as arrays, if there is a fingerprint: reading takes seconds."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    def groups(self) -> np.ndarray | None:
        """Which examples belong together, such as windows of one storm: int [N], a number a group.

        None: all are independent of each other, as far as the source knows.
        """
        return None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__getitem__ is Examples.__getitem__ and cls.take is Examples.take:
            raise TypeError(f"{cls.__name__} needs __getitem__ or take: each calls the other")

    def __getitem__(self, index: int) -> Example:
        return self.take([index])[0]

    def take(self, indices: Sequence[int]) -> list[Example]:
        """The examples at `indices`; for sources that read many at once faster than one by one."""
        return [self[i] for i in indices]

    def load(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Examples start .. stop - 1 as arrays: "image" [n, H, W, C], "label" int32 [n], extras.

        Raises ValueError where the images differ in size.
        """
        examples = self.take(range(start, stop))
        arrays = {"image": np.stack([np.asarray(e["image"]) for e in examples])}
        if examples and "label" in examples[0]:
            arrays["label"] = np.asarray([e["label"] for e in examples], np.int32)
        if examples:
            for name in examples[0].keys() - {"image", "label"}:
                arrays[name] = np.stack([np.asarray(e[name]) for e in examples])
        return arrays

    def load_all(self) -> dict[str, np.ndarray]:
        """Every example, as `load`."""
        return self.load(0, len(self))


class ArrayExamples(Examples):
    """Examples that are in memory already: for notebooks, tests and small sets.

    Args:
      images: uint8 [N, H, W, C]; float32 for a spec that is continuous; [N, M, H, W, C] for
        sequences.
      labels: integers [N], or None.
      extras: further arrays [N, ...] by name, as the spec describes them.

    Raises:
      ValueError: the arrays are not of the same length.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        extras: Mapping[str, np.ndarray] | None = None,
    ):
        self._arrays = {"image": np.asarray(images)}
        if labels is not None:
            self._arrays["label"] = np.asarray(labels).astype(np.int32)
            if len(labels) != len(images):
                raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        for name, array in (extras or {}).items():
            self._arrays[name] = np.asarray(array)
            if len(array) != len(images):
                raise ValueError(f"{len(images)} images, but {len(array)} of {name}")

    def __len__(self) -> int:
        return len(self._arrays["image"])

    def __getitem__(self, index: int) -> Example:
        return {name: array[index] for name, array in self._arrays.items()}

    def load(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return {name: array[start:stop] for name, array in self._arrays.items()}


@dataclasses.dataclass(frozen=True)
class Source(Config):
    """Where the data come from. Derive a frozen dataclass from it."""

    @property
    def spec(self) -> DataSpec:
        """Of the images as they are stored; [0, 0, C] where they differ in size."""
        raise NotImplementedError

    def open(self, split: str) -> Examples:
        """The examples of a TFDS split expression, such as "train" or "train[:90%]+test".

        Raises:
          UserError: the data are not there or cannot be read, or there is no such split.
        """
        raise NotImplementedError

    def summary(self) -> str | None:
        """One line on what there is, for sources whose name does not say it; else None."""
        return None

    def at_other_times(self, split: str) -> dict[str, str]:
        """Splits of the same examples with wanted times at other distances, by what they are.

        Such as {"half": "test_half", "double": "test_double"} of "test"; none, unless a source has
        them.

        Args:
          split: as for `open`.
        """
        return {}

    def truth(self, split: str, index: int | np.ndarray, times: np.ndarray) -> np.ndarray | None:
        """What examples of a sequence look like at any times, for sources that know; else None.

        Args:
          split: as for `open`.
          index: of the example or examples in it, [n].
          times: seconds since the last context frame, [T] or [n, T].

        Returns:
          uint8 levels [n, T, H, W, C].

        Raises:
          UserError: there is no such split.
        """
        return None
