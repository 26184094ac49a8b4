"""Sequences of one's own as the data of an experiment."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar

from gm_jax.data.config import AnyData
from gm_jax.data.sequences.arrays import Sequences, check_sequence_fields
from gm_jax.data.sequences.synthetic_storms import SyntheticStorms
from gm_jax.data.source import Source
from gm_jax.data.transform_text import TRANSFORMS
from gm_jax.data.transforms import Transform


@dataclasses.dataclass(frozen=True)
class SequenceData(AnyData):
    """Sequences in an .npz file; synthetic storms where there is none."""

    path: Path | str | None = None
    """An .npz file with "frames" uint8 [N, T, H, W, C] or [N, T, H, W], and "times" [T] or [N, T]
    in seconds (None: synthetic storms)."""
    _: dataclasses.KW_ONLY
    context: int = 4
    """Known frames of an example."""
    targets: int = 3
    """Wanted frames of an example."""
    stride: int = 1
    """Of the file: frames between the beginnings of two examples of a sequence."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""
    valid_fraction: float = 0.10
    """Of the file: the part of the sequences that is the split validation."""
    test_fraction: float = 0.10
    """Of the file: the part of the sequences that is the split test."""
    split_seed: int = 0
    """Of the splits; the experiment's seed changes the order of the examples only."""

    augment: Annotated[tuple[Transform, ...], TRANSFORMS] = ()
    """Done to whole sequences in training. On the command line, for example: sequence_flip
    sequence_quarter_turn time_reversal."""

    _transforms_field: ClassVar[str] = "augment"

    def __post_init__(self) -> None:
        check_sequence_fields(self)
        super().__post_init__()

    @property
    def source(self) -> Source:
        """The file, or else synthetic storms."""
        if self.path is None:
            # Smooth, as they were when the first runs of this config were made.
            return SyntheticStorms(context=self.context, targets=self.targets, kind="smooth")
        return Sequences(
            self.path,
            context=self.context,
            targets=self.targets,
            stride=self.stride,
            valid_fraction=self.valid_fraction,
            test_fraction=self.test_fraction,
            split_seed=self.split_seed,
        )

    @property
    def transforms(self) -> tuple[Transform, ...]:
        return self.augment
