"""Moving MNIST as the data of an experiment, made on the fly or in a file."""

import dataclasses
from pathlib import Path

from gm_jax.data.config import AnyData
from gm_jax.data.sequences.arrays import Sequences
from gm_jax.data.sequences.checks import check_said_once
from gm_jax.data.sequences.moving_mnist import MovingMnist
from gm_jax.data.source import Source
from gm_jax.data.transforms import Transform
from gm_jax.errors import check_positive


@dataclasses.dataclass(frozen=True)
class MovingMnistData(AnyData):
    """Digits that bounce in a box, made from MNIST."""

    path: Path | str | None = None
    """mnist_test_seq.npy, the published sequences, uint8 [20, K, 64, 64]: they are the split test
    then, and those to learn from are still made. Or an .npz file of "frames" and "times", all
    splits of which are taken from it."""
    _: dataclasses.KW_ONLY
    context: int = 10
    """Known frames of an example, N."""
    targets: int = 10
    """Wanted frames of an example, M."""
    made: MovingMnist = MovingMnist()
    """What is made from MNIST. Its context and targets are those above."""
    train: str = "train"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "validation"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""

    def __post_init__(self) -> None:
        if self.path is not None:  # what a user gives and what experiment.json holds are the same
            object.__setattr__(self, "path", str(self.path))
        check_positive(self, "context", "targets")
        check_said_once(self, "made", "context", "targets")
        super().__post_init__()

    @property
    def source(self) -> Source:
        """What is made, with the file as its test split; or the file alone, if it is an .npz."""
        if self.path is not None and str(self.path).lower().endswith(".npz"):
            return Sequences(self.path, context=self.context, targets=self.targets)
        file = self.made.test_file if self.path is None else self.path
        return dataclasses.replace(
            self.made, context=self.context, targets=self.targets, test_file=file
        )

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """None: transforms are for single images."""
        return ()
