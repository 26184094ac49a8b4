"""The data of an experiment, as a config."""

import abc
import dataclasses
from typing import Annotated, ClassVar, Self

from gm_jax.config_types import Config
from gm_jax.data.sets.digits import Digits
from gm_jax.data.source import Source
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split, apply_spec, check_one_size
from gm_jax.data.transform_text import TRANSFORMS
from gm_jax.data.transforms import FixedTransform, RandomTransform, SequenceTransform, Transform
from gm_jax.errors import ConfigError, UserError, check_not_negative, check_positive


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnyData(Config, abc.ABC):
    """What the data of every experiment have: splits, and how they are batched.

    A class derived from it has as fields or as properties where the images come from (`source`),
    what is done to them (`transforms`) and which are for what (`train`, `valid`, `test`).
    """

    batch_size: int = 128
    """Examples in a batch, over all devices together."""
    limit: int | None = None
    """At most this many examples of each split, for trying things out."""
    device_budget_mib: int = 1024
    """A split that takes no more than this is kept on the device, as uint8; else it is streamed."""
    num_threads: int = 4
    """That read a split which is streamed."""

    _transforms_field: ClassVar[str] = "transforms"  # where a user gives them

    @property
    @abc.abstractmethod
    def source(self) -> Source:
        """Where the data come from."""

    @property
    @abc.abstractmethod
    def transforms(self) -> tuple[Transform, ...]:
        """Done to the images in this order: fixed ones first, then random ones."""

    @property
    @abc.abstractmethod
    def train(self) -> str:
        """Split to learn from: a TFDS split expression."""

    @property
    @abc.abstractmethod
    def valid(self) -> str | None:
        """Split to choose a model by; none if there is to be none."""

    @property
    @abc.abstractmethod
    def test(self) -> str:
        """Split to report on."""

    def __post_init__(self) -> None:
        check_positive(self, "batch_size", "limit", "num_threads")
        check_not_negative(self, "device_budget_mib")
        where = f"{type(self).__name__}.{self._transforms_field}"
        random = None
        for transform in self.transforms:
            if isinstance(transform, RandomTransform | SequenceTransform):
                random = random or transform
            elif not isinstance(transform, FixedTransform):
                raise ConfigError(f"{where} has {transform!r}, which is no transform")
            elif random is not None:
                raise ConfigError(
                    f"{where} has {type(transform).__name__}, which is fixed, after "
                    f"{type(random).__name__}, which is random: fixed ones come first"
                )

    @property
    def spec(self) -> DataSpec:
        """Of the images a model sees, after all transforms; looks at the prepared data.

        Raises:
          UserError: the data are not there, or differ in size and are not resized.
          ConfigError: a transform does not fit the images.
        """
        spec = apply_spec(self.transforms, self.source.spec)
        check_one_size(spec)
        return spec

    def open(self, split: str, seed: int = 0) -> Split:
        """The batches of a split.

        Args:
          split: "train", "valid" or "test" for the fields of that name, or any split expression.
          seed: of the order.

        Raises:
          UserError: the data are not there or cannot be read, or there is no such split.
          ConfigError: a transform does not fit the images.
        """
        expression = self.expression(split)
        source = self.source
        return Split(
            source.open(expression),
            source.spec,
            self.transforms,
            name=split,
            expression=expression,
            batch_size=self.batch_size,
            seed=seed,
            limit=self.limit,
            resident_bytes=self.device_budget_mib * 2**20,
            num_threads=self.num_threads,
        )

    def expression(self, split: str) -> str:
        """What the source calls a split: "train", "valid" and "test" are the fields of that name.

        Raises:
          UserError: the field is None.
        """
        fields = {"train": self.train, "valid": self.valid, "test": self.test}
        expression = fields.get(split, split)
        if expression is None:
            raise UserError(
                f"{type(self).__name__}.valid is none: this experiment has no validation split"
            )
        return expression

    def quick(self) -> Self:
        """A few small batches of the same, for tests."""
        return dataclasses.replace(self, batch_size=8, limit=24)


@dataclasses.dataclass(frozen=True)
class Data(AnyData):
    """A source, its splits, what is done to its images, and how they are batched."""

    source: Source = Digits()
    """Where the data come from."""
    train: str = "train[:90%]"
    """Split to learn from: a TFDS split expression."""
    valid: str | None = "train[90%:]"
    """Split to choose a model by; none if there is to be none."""
    test: str = "test"
    """Split to report on."""
    transforms: Annotated[tuple[Transform, ...], TRANSFORMS] = ()
    """Done to the images in this order: fixed ones first, then random ones. On the command line,
    for example: resize:12 quantize:16 horizontal_flip."""

    def __post_init__(self) -> None:
        if not isinstance(self.source, Source):
            raise ConfigError(f"Data.source must be a Source, not {self.source!r}")
        super().__post_init__()
