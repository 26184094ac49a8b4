"""What the parameters of synthetic storms of any kind have in common: a row for each storm."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True)
class StormParameters:
    """S storms: every field of a derived class is an array [S, ...]."""

    def __getitem__(self, indices: np.ndarray | slice) -> Self:
        """The storms at `indices`."""
        return type(self)(*(getattr(self, f.name)[indices] for f in dataclasses.fields(self)))

    def __len__(self) -> int:
        return len(getattr(self, dataclasses.fields(self)[0].name))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The storms of all parts, one after the other."""
        names = [f.name for f in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
