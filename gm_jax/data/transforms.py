"""What is done to the images between a source and a model.

Fixed transforms are applied once, on the host, as the images are read; random ones in every step,
on the device, one example at a time. Images stay integers throughout.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.config_types import Config
from gm_jax.data.pixels import largest_box
from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError, check_positive, check_probability
from gm_jax.rng import Rngs


@dataclasses.dataclass(frozen=True)
class Transform(Config):
    """Something done to images.

    Derive from `FixedTransform` or `RandomTransform`, or for sequences from `SequenceTransform`.
    """

    def spec(self, spec: DataSpec) -> DataSpec:
        """What the images are like afterwards, if they were like `spec` before.

        Raises:
          ConfigError: the transform does not fit such images.
        """
        return spec


@dataclasses.dataclass(frozen=True)
class FixedTransform(Transform):
    """Does the same to an image whenever it is read, and whatever is in the batch with it."""

    @abc.abstractmethod
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] to uint8 [N, H', W', C']."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class RandomTransform(Transform):
    """Draws anew for every example in every step."""

    train_only: ClassVar[bool] = True
    """Whether it is left out in evaluation."""

    @abc.abstractmethod
    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """One image, uint8 [H, W, C], to another."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class SequenceTransform(Transform):
    """Draws anew for every sequence in every step of training; left out in evaluation."""

    @abc.abstractmethod
    def __call__(
        self, key: jax.Array, frames: jax.Array, times: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """One sequence to another, of the same shape.

        Args:
          key: for what it draws.
          frames: uint8 [N + M, H, W, C], the known and then the wanted ones.
          times: increasing seconds [N + M]; those that are returned may have any origin.
        """
        raise NotImplementedError


def check_levels(transform: Transform, num_levels_in: int, spec: DataSpec) -> None:
    """Raises ConfigError unless images like `spec` have the levels that a transform counts on."""
    if spec.num_levels != num_levels_in:
        name = type(transform).__name__
        raise ConfigError(
            f"{name}.num_levels_in is {num_levels_in}, but the images it is given have "
            f"{spec.num_levels} levels"
        )


def height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """A size as it is given in a config, for both sides or for each."""
    return (size, size) if isinstance(size, int) else size


@dataclasses.dataclass(frozen=True)
class Resize(FixedTransform):
    """Resizes each image, antialiased (Pillow). Sets whose images differ in size need it.

    A single `size` makes squares and does not keep the proportions: put `CenterCrop()` before it
    for that.
    """

    size: int | tuple[int, int] = 32
    """Height and width, or one number for both."""
    method: Literal["box", "bilinear", "bicubic", "lanczos"] = "bilinear"
    """Filter. bicubic and lanczos overshoot, so they are for images with 256 levels only."""

    def __post_init__(self) -> None:
        check_positive(self, "size")

    def spec(self, spec: DataSpec) -> DataSpec:
        if spec.shape[-1] not in (1, 3, 4):
            raise ConfigError(f"Resize needs 1, 3 or 4 channels, not {spec.shape[-1]}")
        if self.method in ("bicubic", "lanczos") and spec.num_levels != 256:
            raise ConfigError(
                f"Resize.method {self.method} overshoots, and the images have only "
                f"{spec.num_levels} levels; use box or bilinear"
            )
        return dataclasses.replace(spec, shape=(*height_width(self.size), spec.shape[-1]))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        from PIL import Image

        height, width = height_width(self.size)
        if images.shape[1:3] == (height, width):
            return images
        resample = Image.Resampling[self.method.upper()]
        out = np.empty((len(images), height, width, images.shape[-1]), np.uint8)
        for i, image in enumerate(images):
            picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
            resized = np.asarray(picture.resize((width, height), resample))
            out[i] = resized.reshape(out.shape[1:])
        return out


@dataclasses.dataclass(frozen=True)
class AspectCrop(FixedTransform):
    """Cuts the largest box of given proportions out of the middle of each image."""

    size: int | tuple[int, int] = 1
    """Height and width, of which the proportions count; one number for a square."""

    def __post_init__(self) -> None:
        check_positive(self, "size")

    def spec(self, spec: DataSpec) -> DataSpec:
        height, width, channels = spec.shape
        box = largest_box(height, width, *height_width(self.size)) if height else (0, 0)
        return dataclasses.replace(spec, shape=(*box, channels))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        rows, columns = largest_box(height, width, *height_width(self.size))
        top, left = (height - rows) // 2, (width - columns) // 2
        return images[:, top : top + rows, left : left + columns]


@dataclasses.dataclass(frozen=True)
class CenterCrop(FixedTransform):
    """Cuts the square in the middle out of each image."""

    size: int | None = None
    """Of the square; the largest that fits if none is given."""

    def __post_init__(self) -> None:
        check_positive(self, "size")

    def spec(self, spec: DataSpec) -> DataSpec:
        height, width, channels = spec.shape
        if height and self.size is not None and self.size > min(height, width):
            raise ConfigError(
                f"CenterCrop.size {self.size} is larger than the images, {height}x{width}"
            )
        size = self.size or min(height, width)
        return dataclasses.replace(spec, shape=(size, size, channels))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        size = self.size or min(height, width)
        if size > min(height, width):
            raise UserError(f"CenterCrop.size {size} is larger than an image, {height}x{width}")
        top, left = (height - size) // 2, (width - size) // 2
        return images[:, top : top + size, left : left + size]


@dataclasses.dataclass(frozen=True)
class Grayscale(FixedTransform):
    """One channel of luma (ITU-R 601, as in Pillow) instead of three of colour."""

    def spec(self, spec: DataSpec) -> DataSpec:
        if spec.shape[-1] != 3:
            raise ConfigError(f"Grayscale needs 3 channels, not {spec.shape[-1]}")
        return dataclasses.replace(spec, shape=(*spec.shape[:-1], 1))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        weights = np.array([19595, 38470, 7471], np.uint32)  # of 65,536
        luma = (images.astype(np.uint32) * weights).sum(-1, keepdims=True, dtype=np.uint32)
        return ((luma + 0x8000) >> 16).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Quantize(FixedTransform):
    """Fewer levels: floor(x * num_levels / num_levels_in)."""

    num_levels: int = 8
    """Afterwards."""
    num_levels_in: int = 256
    """Before."""

    def __post_init__(self) -> None:
        if not 2 <= self.num_levels <= self.num_levels_in <= 256:
            raise ConfigError(
                "Quantize needs 2 <= num_levels <= num_levels_in <= 256, not "
                f"{self.num_levels} and {self.num_levels_in}"
            )

    def spec(self, spec: DataSpec) -> DataSpec:
        check_levels(self, self.num_levels_in, spec)
        return dataclasses.replace(spec, num_levels=self.num_levels)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        # uint16 holds 255 * 256.
        return (images.astype(np.uint16) * self.num_levels // self.num_levels_in).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class ResizeQuantize(FixedTransform):
    """Resizes each image in float32, antialiased, and only then gives it fewer levels.

    x is level / (num_levels_in - 1), so from 0 to 1. `Resize` and `Quantize` one after the other
    round to whole levels in between, which moves some values into a neighbouring bin.
    """

    size: int | tuple[int, int] = 12
    """Height and width, or one number for both."""
    num_levels: int = 16
    """Afterwards: L."""
    bins: Literal["equal", "top_alone"] = "equal"
    """equal: floor(L x), and 1 belongs to the last of L equal bins. top_alone: floor((L - 1) x), so
    that the highest level is left for 1 alone."""
    method: Literal["box", "bilinear"] = "bilinear"
    """Filter."""
    num_levels_in: int = 256
    """Before."""

    def __post_init__(self) -> None:
        check_positive(self, "size")
        for field in ("num_levels", "num_levels_in"):
            if not 2 <= getattr(self, field) <= 256:
                raise ConfigError(
                    f"ResizeQuantize.{field} must be in 2 .. 256, not {getattr(self, field)}"
                )

    def spec(self, spec: DataSpec) -> DataSpec:
        check_levels(self, self.num_levels_in, spec)
        shape = (*height_width(self.size), spec.shape[-1])
        return dataclasses.replace(spec, shape=shape, num_levels=self.num_levels)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        from PIL import Image

        height, width = height_width(self.size)
        resample = Image.Resampling[self.method.upper()]
        x = np.empty((len(images), height, width, images.shape[-1]), np.float32)
        for i, image in enumerate(images.astype(np.float32) / np.float32(self.num_levels_in - 1)):
            for c in range(image.shape[-1]):  # Pillow's pictures of floats have one channel
                picture = Image.fromarray(image[..., c])
                x[i, ..., c] = np.asarray(picture.resize((width, height), resample))
        num_bins = self.num_levels if self.bins == "equal" else self.num_levels - 1
        bins = np.floor(np.float32(num_bins) * x)
        return np.clip(bins, 0, self.num_levels - 1).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Binarize(FixedTransform):
    """1 where x / (num_levels_in - 1) is at least the threshold, else 0."""

    threshold: float = 0.5
    """In (0, 1]."""
    num_levels_in: int = 256
    """Before."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ConfigError(f"Binarize.threshold must be in (0, 1], not {self.threshold}")

    def spec(self, spec: DataSpec) -> DataSpec:
        check_levels(self, self.num_levels_in, spec)
        return dataclasses.replace(spec, num_levels=2)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return (images >= self.threshold * (self.num_levels_in - 1)).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class DynamicBinarize(RandomTransform):
    """1 with probability x / (num_levels_in - 1), else 0; drawn anew every time, in evaluation too.

    The binarization of Salakhutdinov & Murray (2008), taken at each step as in IWAE (Burda et al.,
    2016).
    """

    train_only: ClassVar[bool] = False

    num_levels_in: int = 256
    """Before."""

    def spec(self, spec: DataSpec) -> DataSpec:
        check_levels(self, self.num_levels_in, spec)
        return dataclasses.replace(spec, num_levels=2)

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        probability = image.astype(jnp.float32) / (self.num_levels_in - 1)
        return jax.random.bernoulli(key, probability).astype(jnp.uint8)


@dataclasses.dataclass(frozen=True)
class HorizontalFlip(RandomTransform):
    """Mirrors an image, left to right; in training only."""

    probability: float = 0.5
    """Of being mirrored."""

    def __post_init__(self) -> None:
        check_probability(self, "probability")

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        flip = jax.random.bernoulli(key, self.probability)
        return jnp.where(flip, image[:, ::-1], image)


def apply_random(
    transforms: Sequence[Transform], rngs: Rngs, batch: Mapping[str, Any], train: bool
) -> dict[str, Any]:
    """Applies the random ones among `transforms`; pure, may be jitted (`train` is static).

    The key of an example comes from its "index", so what is drawn depends neither on the batch
    size nor on how many devices share the batch. An example that is twice in a batch (one larger
    than an epoch, or across the end of one) is given the same draw twice.

    Args:
      transforms: fixed ones are passed over, they have been applied already.
      rngs: streams of this step, such as `rngs.at("train", step)`.
      batch: "image" uint8 [B, H, W, C] and "index" int32 [B]; anything else is handed through. Of
        sequences also "context", "context_time" and "time", as `forecast_spec` describes them.
      train: whether to apply those for training only.

    Returns:
      The batch with its "image" transformed; of sequences, with all frames and times.
    """
    if train:
        batch = _apply_to_sequences(transforms, rngs, batch)
    image = batch["image"]
    random = [t for t in transforms if isinstance(t, RandomTransform)]
    for position, transform in enumerate(random):
        if train or not transform.train_only:
            key = rngs(f"transform/{position}/{type(transform).__name__}")
            keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch["index"])  # [B]
            image = jax.vmap(transform)(keys, image)
    return {**batch, "image": image}


def _apply_to_sequences(
    transforms: Sequence[Transform], rngs: Rngs, batch: Mapping[str, Any]
) -> Mapping[str, Any]:
    """As `apply_random`, for those of sequences."""
    drawn = [t for t in transforms if isinstance(t, SequenceTransform)]
    if not drawn:
        return batch
    known = batch["context"].shape[1]
    frames = jnp.concatenate([batch["context"], batch["image"]], 1)  # [B, N + M, H, W, C]
    times = jnp.concatenate([batch["context_time"], batch["time"]], 1)  # [B, N + M]
    for position, transform in enumerate(drawn):
        key = rngs(f"transform/{position}/{type(transform).__name__}")
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch["index"])  # [B]
        frames, times = jax.vmap(transform)(keys, frames, times)
    times = times - times[:, known - 1 : known]
    return {
        **batch,
        "context": frames[:, :known],
        "image": frames[:, known:],
        "context_time": times[:, :known],
        "time": times[:, known:],
    }
