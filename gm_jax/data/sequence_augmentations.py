"""Random changes to a sequence that act alike on all its frames, the known and the wanted ones.

A mirror turns the sense of every rotation around, as on the other hemisphere; a turn keeps it. Time
reversed turns it around too, and lets storms decay that grew and bands lead that trailed: it
teaches to look at the motion, and is no weather.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gm_jax.data.augmentations import Fill, rotate
from gm_jax.data.spec import DataSpec
from gm_jax.data.transforms import SequenceTransform
from gm_jax.errors import ConfigError, check_not_negative, check_probability
from gm_jax.rng import Rngs

Array = jax.Array
_REVERSIBLE = {"context", "context_time", "time"}


@dataclasses.dataclass(frozen=True)
class SequenceFlip(SequenceTransform):
    """Mirrors a sequence, left to right and, drawn by itself, top to bottom; in training only."""

    horizontal: float = 0.5
    """Probability of being mirrored left to right."""
    vertical: float = 0.5
    """Probability of being mirrored top to bottom."""

    def __post_init__(self) -> None:
        check_probability(self, "horizontal", "vertical")

    def __call__(self, key: Array, frames: Array, times: Array) -> tuple[Array, Array]:
        rngs = Rngs(key)
        for name, probability, axis in (
            ("horizontal", self.horizontal, 2),
            ("vertical", self.vertical, 1),
        ):
            flip = jax.random.bernoulli(rngs(name), probability)
            frames = jnp.where(flip, jnp.flip(frames, axis), frames)
        return frames, times


@dataclasses.dataclass(frozen=True)
class SequenceQuarterTurn(SequenceTransform):
    """Turns a sequence of square frames by 0, 90, 180 or 270 degrees; in training only."""

    def spec(self, spec: DataSpec) -> DataSpec:
        height, width = spec.shape[1:3]
        if height != width:
            raise ConfigError(
                f"SequenceQuarterTurn needs square frames, not {height}x{width}: leave it out, or "
                "take sequence_rotation or sequence_flip"
            )
        return spec

    def __call__(self, key: Array, frames: Array, times: Array) -> tuple[Array, Array]:
        return quarter_turned(frames, jax.random.randint(key, (), 0, 4)), times


@dataclasses.dataclass(frozen=True)
class SequenceRotation(SequenceTransform):
    """Turns a sequence by an angle from U[-degrees, degrees] around its middle; in training."""

    degrees: float = 10.0
    """Largest angle."""
    fill: Fill = "edge"
    """What comes in at the corners: the edge drawn out, the image mirrored, or level 0."""

    def __post_init__(self) -> None:
        check_not_negative(self, "degrees")

    def __call__(self, key: Array, frames: Array, times: Array) -> tuple[Array, Array]:
        degrees = jax.random.uniform(key, minval=-self.degrees, maxval=self.degrees)
        return jax.vmap(lambda frame: rotate(frame, degrees, self.fill))(frames), times


@dataclasses.dataclass(frozen=True)
class TimeReversal(SequenceTransform):
    """Shows a sequence from its end to its beginning; in training only.

    Of N + M frames the last N become the known ones, and the intervals are reversed with them.
    """

    probability: float = 0.5
    """Of being reversed."""

    def __post_init__(self) -> None:
        check_probability(self, "probability")

    def spec(self, spec: DataSpec) -> DataSpec:
        further = [extra.name for extra in spec.extras if extra.name not in _REVERSIBLE]
        if further:
            raise ConfigError(
                f"TimeReversal cannot know {', '.join(further)} of the frames that become the "
                "known ones: leave it out"
            )
        return spec

    def __call__(self, key: Array, frames: Array, times: Array) -> tuple[Array, Array]:
        reverse = jax.random.bernoulli(key, self.probability)
        return jnp.where(reverse, frames[::-1], frames), jnp.where(reverse, -times[::-1], times)


def quarter_turned(frames: Array, turns: Array) -> Array:
    """Square frames turned counter-clockwise by quarter turns, as np.rot90.

    Args:
      frames: [T, S, S, C].
      turns: int scalar in 0 .. 3; may be traced.

    Returns:
      [T, S, S, C].
    """
    frames = jnp.where(turns % 2 == 1, frames.swapaxes(1, 2), frames)
    frames = jnp.where((turns == 1) | (turns == 2), frames[:, ::-1], frames)
    return jnp.where(turns >= 2, frames[:, :, ::-1], frames)
