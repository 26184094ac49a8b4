"""SEVIR as the data of an experiment."""

import dataclasses
from pathlib import Path

from gm_jax.data.config import AnyData
from gm_jax.data.sequences.sevir import Sevir, SevirTask
from gm_jax.data.source import Source
from gm_jax.data.transforms import Transform
from gm_jax.errors import check_parts, check_positive


@dataclasses.dataclass(frozen=True)
class SevirData(AnyData):
    """Storms over the United States by satellite and radar."""

    path: Path | str = "sevir"
    """The folder that holds the .h5 files."""
    task: SevirTask = "translate"
    """translate: vis, ir069 and ir107 into vil; forecast: vil into later vil."""
    size: int | None = None
    """Height and width of vil, a whole fraction of its own 384 (None); means are taken."""
    _: dataclasses.KW_ONLY
    context: int = 13
    """Known frames of a forecast, N."""
    targets: int = 12
    """Wanted frames of a forecast, M."""
    stride: int = 12
    """Frames between two examples of an event, or between the beginnings of two forecasts."""
    valid_fraction: float = 0.10
    """Of the events, for the split validation."""
    test_fraction: float = 0.10
    """Of the events, for the split test."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        check_positive(self, "size", "context", "targets", "stride")
        check_parts(self, "valid_fraction", "test_fraction")
        super().__post_init__()

    @property
    def source(self) -> Source:
        """The files."""
        shared = {f.name for f in dataclasses.fields(Sevir)}
        return Sevir(**{k: v for k, v in vars(self).items() if k in shared})

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """None: transforms are for single images."""
        return ()
