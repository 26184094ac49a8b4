"""How far forecast frames are from the true ones, as losses that blur less than squared error.

Everything is a mean over the values of an example, on [0, 1], so that the weights of a sum mean
the same at every size and for every number of frames.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.config_types import Config
from gm_jax.errors import ConfigError, check_not_negative
from gm_jax.metrics.flattening import flat
from gm_jax.metrics.ssim import ssim

Array = jax.Array
Features = Callable[[Array], Any]
"""Images [N, H, W, C] on [0, 1] to a tree of feature maps [N, ...], of a network that is fixed."""

_SURE = 1e-4


def l1_loss(prediction: Array, target: Array, seen: Array | None = None) -> Array:
    """Mean absolute error of [B, ..., H, W, C], [B]; of the pixels that were seen, if told."""
    return _mean(_abs(prediction - target), seen)


def l2_loss(prediction: Array, target: Array, seen: Array | None = None) -> Array:
    """Mean squared error of [B, ..., H, W, C], [B]; of the pixels that were seen, if told."""
    return _mean((prediction - target) ** 2, seen)


def cross_entropy_loss(prediction: Array, target: Array, seen: Array | None = None) -> Array:
    """Mean cross-entropy of [B, ..., H, W, C] in nats, [B]; of the pixels that were seen, if told.

      mean -[ X log Y + (1 - X) log(1 - Y) ]

    It is smallest where the mean squared error is, at the mean of what may come, but pulls as hard
    where Y is nearly black or white; the loss of Shi et al. 2015 (arXiv:1506.04214) for Moving
    MNIST. Y is drawn in by 1e-4, so that no pixel costs more than 9.2 nats.

    Args:
      prediction: Y on [0, 1]; what lies beyond counts as 0 or 1, and has no gradient.
      target: X on [0, 1], the same shape.
      seen: where the target was seen, bool of the same shape (None: all was).
    """
    inside = _SURE + (1.0 - 2.0 * _SURE) * jnp.clip(prediction, 0.0, 1.0)
    return _mean(-target * jnp.log(inside) - (1.0 - target) * jnp.log1p(-inside), seen)


def ssim_loss(prediction: Array, target: Array, seen: Array | None = None) -> Array:
    """1 - SSIM (Wang et al. 2004), window 11, sigma 1.5, the mean over frames.

    Images smaller than the window get the largest odd one that fits. The gradient is finite
    everywhere, on constant images too, and 0 where the two are equal.

    Args:
      prediction: on [0, 1], [B, ..., H, W, C].
      target: the same shape.
      seen: where the target was seen, bool of the same shape: other windows do not count, nor do
        frames without any (None: all was).

    Returns:
      In [0, 2], [B].
    """
    if seen is None:
        similarity = ssim(_frames(prediction), _frames(target), shrink_window=True)  # [B ...]
        return _mean(1.0 - similarity.reshape(prediction.shape[:-3]))
    similarity = ssim(
        _frames(prediction), _frames(target), shrink_window=True, seen=_frames(seen)
    ).reshape(prediction.shape[:-3])
    return _mean(1.0 - similarity, ~jnp.isnan(similarity))


def gradient_difference_loss(prediction: Array, target: Array, seen: Array | None = None) -> Array:
    """How much the steepness of edges differs (Mathieu et al. 2016, arXiv:1511.05440, eq. 6).

      mean_ij | |Y_i,j - Y_i-1,j| - |X_i,j - X_i-1,j| |  +  the same along j

    with exponent α = 1, and means in place of their sums.

    Args:
      prediction: X, [B, ..., H, W, C], of at least 2x2 pixels.
      target: Y, the same shape.
      seen: where the target was seen, bool of the same shape: only neighbours that both were count
        (None: all was).

    Returns:
      At least 0, [B].
    """

    def along(axis: int) -> Array:  # [B]
        steep_x, steep_y = (_abs(jnp.diff(v, axis=axis)) for v in (prediction, target))
        return _mean(_abs(steep_y - steep_x), None if seen is None else _both(seen, axis))

    return along(-3) + along(-2)


def perceptual_loss(prediction: Array, target: Array, features: Features) -> Array:
    """Mean squared distance of features (Johnson et al. 2016, arXiv:1603.08155), summed over maps.

    Args:
      prediction: [B, ..., H, W, C].
      target: the same shape.
      features: of a fixed network; no gradient goes to the target's.

    Returns:
      At least 0, [B].
    """
    lead = prediction.shape[:-3]
    wanted = jax.lax.stop_gradient(features(_frames(target)))
    distances = jax.tree.map(
        lambda x, y: _mean(_mean((x - y) ** 2).reshape(lead)),
        features(_frames(prediction)),
        wanted,
    )
    total: Array = sum(jax.tree.leaves(distances), jnp.zeros(lead[:1]))
    return total


@dataclasses.dataclass(frozen=True)
class ForecastLoss(Config):
    """A weighted sum; terms of weight 0 are not computed."""

    ssim: float = 1.0
    """Weight of 1 - SSIM."""
    l1: float = 0.0
    """Weight of the mean absolute error."""
    l2: float = 0.0
    """Weight of the mean squared error."""
    cross_entropy: float = 0.0
    """Weight of the mean cross-entropy of pixels, for data that are nearly black and white."""
    gradient: float = 0.0
    """Weight of the gradient difference."""
    perceptual: float = 0.0
    """Weight of the distance of features, for a model that was given a feature function."""

    def __post_init__(self) -> None:
        check_not_negative(self, "ssim", "l1", "l2", "cross_entropy", "gradient", "perceptual")
        if not any(dataclasses.astuple(self)):
            raise ConfigError("ForecastLoss needs a weight above 0: all of them are 0")

    def check_features(self, features: Features | None) -> None:
        """Raises ConfigError where features have a weight, and there are none."""
        if self.perceptual and features is None:
            raise ConfigError(
                f"ForecastLoss.perceptual {self.perceptual:g} needs a feature function, and the "
                "model has none: leave it 0, or derive a model with `features`"
            )

    def __call__(
        self,
        prediction: Array,
        target: Array,
        features: Features | None = None,
        seen: Array | None = None,
    ) -> Array:
        """The sum for each example.

        Args:
          prediction: on [0, 1], [B, ..., H, W, C].
          target: the same shape.
          features: for the perceptual term.
          seen: where the target was seen, bool of the same shape; what was not has no part, and an
            example of which nothing was has the loss 0 (None: all was).

        Returns:
          [B].

        Raises:
          ConfigError: a perceptual weight without features.
        """
        self.check_features(features)
        terms = {
            "ssim": ssim_loss,
            "l1": l1_loss,
            "l2": l2_loss,
            "cross_entropy": cross_entropy_loss,
            "gradient": gradient_difference_loss,
        }
        total = jnp.zeros(prediction.shape[:1])
        for name, term in terms.items():
            if weight := getattr(self, name):
                total += weight * term(prediction, target, seen)
        if self.perceptual and features is not None:
            if seen is not None:
                prediction = jnp.where(seen, prediction, target)
            total += self.perceptual * perceptual_loss(prediction, target, features)
        return total


def _abs(x: Array) -> Array:
    """|x| with gradient 0 at 0, where jnp.abs has 1: no pull away from what is right."""
    return x * jnp.sign(x)


def _frames(x: Array) -> Array:
    """[B, ..., H, W, C] -> [N, H, W, C]."""
    return x.reshape(-1, *x.shape[-3:])


def _both(seen: Array, axis: int) -> Array:
    """Whether a pixel and the one before it along `axis` were seen."""
    length = seen.shape[axis]
    later, earlier = (
        jax.lax.slice_in_dim(seen, i, length - 1 + i, axis=axis % seen.ndim) for i in (1, 0)
    )
    return later & earlier


def _mean(x: Array, seen: Array | None = None) -> Array:
    """Over all axes but the first, [B]; over what was seen, and 0 where nothing was."""
    if seen is None:
        return flat(x).mean(1)
    return flat(jnp.where(seen, x, 0.0)).sum(1) / jnp.maximum(flat(seen).sum(1), 1)
