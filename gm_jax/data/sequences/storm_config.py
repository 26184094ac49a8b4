"""Storms as the data of an experiment: a folder of one's own, or synthetic ones."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from gm_jax.data.config import AnyData
from gm_jax.data.sequences.checks import check_said_once
from gm_jax.data.sequences.storms import Condition, SplitBy, Storms, check_storm_fields
from gm_jax.data.sequences.synthetic_storms import SyntheticStorms
from gm_jax.data.source import Source
from gm_jax.data.transform_text import TRANSFORMS
from gm_jax.data.transforms import Transform
from gm_jax.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class StormData(AnyData):
    """A folder of storms; synthetic ones where there is none."""

    path: Path | str | None = None
    """A folder with <storm>_<NNN>.jpg and their _features.json (None: synthetic storms)."""
    size: int | tuple[int, int] | None = 32
    """Height and width the frames get, or one number for both: --data.size 48 64 (None: those of a
    folder stay as they are)."""
    _: dataclasses.KW_ONLY
    context: int = 4
    """Known frames of an example, N."""
    targets: int = 3
    """Wanted frames of an example, M."""
    split: SplitBy = "auto"
    """Of a folder: storm: all of a storm lies in one split. time: every storm is cut along time,
    train first, then validation, then test. auto: by storm, or by time where there are fewer than
    three."""
    gap: int | None = None
    """Of a folder, by time: frames between two splits, which are wanted in none; those known may
    lie in the gap before their split (None: as many as are known)."""
    valid_fraction: float = 0.10
    """Of a folder, for the split validation: of the storms, or by time of each storm's frames, to
    the nearest whole frame (0: none)."""
    test_fraction: float = 0.10
    """Of a folder, for the split test, likewise."""
    crop: int | tuple[int, int] | None = None
    """Of a folder: height and width, or one number for both, of the part in the middle that is
    kept, before it is resized (None: the largest of the proportions of the size)."""
    channels: Literal[1, 3] = 1
    """Of a folder: 1: grey, 3: colour."""
    stride: int = 1
    """Of a folder: frames between the beginnings of two examples of a storm."""
    short: Literal["skip", "stop"] = "stop"
    """Of a folder: what is done about a storm that is too short: it is left out, or it is an
    error."""
    conditions: tuple[Condition, ...] = ()
    """Of a folder: what a model is told beside the frames: ocean, wind_speed."""
    synthetic: SyntheticStorms = SyntheticStorms()
    """Without a folder: the storms that are learned. Their size, context and targets are those
    above."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""
    augment: Annotated[tuple[Transform, ...], TRANSFORMS] = ()
    """Done to whole sequences in training. On the command line, for example: sequence_flip
    sequence_quarter_turn time_reversal."""

    _transforms_field: ClassVar[str] = "augment"

    def __post_init__(self) -> None:
        check_storm_fields(self)
        if self.path is None:
            self._check_synthetic()
        super().__post_init__()

    @property
    def source(self) -> Source:
        """The folder, or else synthetic storms."""
        if self.path is None:
            assert isinstance(self.size, int)
            return dataclasses.replace(
                self.synthetic, size=self.size, context=self.context, targets=self.targets
            )
        shared = {f.name for f in dataclasses.fields(Storms)}
        return Storms(**{k: v for k, v in vars(self).items() if k in shared})

    @property
    def transforms(self) -> tuple[Transform, ...]:
        return self.augment

    def _check_synthetic(self) -> None:
        """Raises ConfigError where a field asks for what synthetic storms do not have."""
        if not isinstance(self.size, int):
            given = "None" if self.size is None else "{} {}".format(*self.size)
            raise ConfigError(
                f"StormData.size {given} is for a folder, and synthetic storms are square: give "
                "one number, or a folder as path"
            )
        if self.conditions:
            raise ConfigError(
                f"StormData.conditions {' '.join(self.conditions)}: synthetic storms have none; "
                "give a folder as path"
            )
        check_said_once(self, "synthetic", "size", "context", "targets")
