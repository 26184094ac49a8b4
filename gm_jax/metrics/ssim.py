"""Structural similarity of images (Wang, Bovik, Sheikh & Simoncelli 2004, IEEE TIP 13:600-612)."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.errors import UserError

Array = jax.Array

SSIM_WINDOW = 11
"""Side in pixels of the window of the paper: smaller images have no SSIM that compares with its."""


class WindowError(UserError, ValueError):
    """A window that does not fit into the images."""


def ssim(
    prediction: Array,
    target: Array,
    data_range: float = 1.0,
    *,
    window: Literal["gaussian", "uniform"] = "gaussian",
    window_size: int | None = None,
    sigma: float = 1.5,
    use_sample_covariance: bool = False,
    shrink_window: bool = False,
    seen: Array | None = None,
) -> Array:
    """Mean structural similarity of each pair of images.

      SSIM = (2 mu_x mu_y + C1)(2 cov_xy + C2) / ((mu_x^2 + mu_y^2 + C1)(var_x + var_y + C2))

    with moments in a window around each pixel, C1 = (0.01 data_range)^2, C2 = (0.03 data_range)^2,
    averaged over the windows that lie wholly inside the image and over channels. The defaults are
    those of the paper: a Gaussian window of 11 x 11 pixels with sigma 1.5. scikit-image's
    `structural_similarity` gives the same number with the same arguments (its own defaults are
    window="uniform", use_sample_covariance=True).

    Args:
      prediction: [B, H, W, C].
      target: the same shape.
      data_range: largest value minus smallest value that an image can have.
      window: shape of the weights in the window.
      window_size: its side in pixels, odd; None: 11 for sigma 1.5 (cut off at 3.5 sigma), and 7 for
        a uniform window.
      sigma: standard deviation of the Gaussian window, in pixels.
      use_sample_covariance: whether (co)variances are divided by N - 1 (N pixels in the window).
      shrink_window: whether images smaller than the window are given the largest odd window that
        fits, in place of an error. Such numbers do not compare with those of the full window.
      seen: where there are pixels at all, bool [B, H, W, C]: only windows that lie wholly in there
        are averaged over. None: everywhere.

    Returns:
      In [-1, 1], 1 for equal images, [B]; NaN where no window was seen. Its gradient is finite
      everywhere.

    Raises:
      WindowError: where the window is even, not positive, or larger than the images.
      ValueError: where the shapes differ or are not [B, H, W, C].
    """
    if prediction.shape != target.shape or prediction.ndim != 4:
        shapes = f"{prediction.shape} and {target.shape}"
        raise ValueError(f"ssim compares images [B, H, W, C] of one shape, not {shapes}")
    if window_size is None:
        window_size = 2 * int(3.5 * sigma + 0.5) + 1 if window == "gaussian" else 7
    window_size = _fitting(window_size, prediction.shape[1:3], shrink_window)
    weights = gaussian_window(window_size, sigma) if window == "gaussian" else _uniform(window_size)
    num_pixels = window_size**2
    cov_scale = num_pixels / max(num_pixels - 1, 1) if use_sample_covariance else 1.0
    if seen is not None:
        return _mean_of_seen(prediction, target, seen, data_range, weights, cov_scale)
    return _mean_similarity(prediction, target, data_range, weights, cov_scale)


def _fitting(window_size: int, image_size: tuple[int, ...], shrink: bool) -> int:
    """The window's size, shrunk where that is wanted."""
    if window_size < 1 or window_size % 2 == 0:
        raise WindowError(f"ssim needs an odd window_size of 1 or more, not {window_size}")
    smallest = min(image_size)
    if window_size <= smallest:
        return window_size
    if shrink and smallest > 0:
        return smallest - 1 + smallest % 2
    height, width = image_size
    raise WindowError(
        f"ssim's window of {window_size}x{window_size} pixels is larger than the images of "
        f"{height}x{width}: give a smaller window_size, or shrink_window=True"
    )


def gaussian_window(size: int, sigma: float) -> tuple[float, ...]:
    """Weights of a window along one axis, with the sum 1."""
    offsets = np.arange(size) - size // 2
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return tuple((weights / weights.sum()).tolist())


def _uniform(size: int) -> tuple[float, ...]:
    return (1.0 / size,) * size


@functools.partial(jax.jit, static_argnames=("weights", "cov_scale"))
def _mean_similarity(
    x: Array, y: Array, data_range: Array, weights: tuple[float, ...], cov_scale: float
) -> Array:
    """The formula above: [B, H, W, C] twice -> [B]."""
    above, below = similarity_terms(x, y, data_range, weights, cov_scale)
    return (above[0] * above[1] / (below[0] * below[1])).mean((1, 2, 3))


@functools.partial(jax.jit, static_argnames=("weights", "cov_scale"))
def _mean_of_seen(
    x: Array,
    y: Array,
    seen: Array,
    data_range: Array,
    weights: tuple[float, ...],
    cov_scale: float,
) -> Array:
    """The mean over windows that were seen: [B, H, W, C] three times -> [B]."""
    above, below = similarity_terms(x, y, data_range, weights, cov_scale)
    window = (1, len(weights), len(weights), 1)
    whole = jax.lax.reduce_window(
        seen.astype(jnp.float32), 1.0, jax.lax.min, window, (1, 1, 1, 1), "valid"
    )  # [B, H', W', C]
    similarity = above[0] * above[1] / (below[0] * below[1])
    total, count = ((v * whole).sum((1, 2, 3)) for v in (similarity, jnp.ones_like(similarity)))
    return jnp.where(count > 0, total / jnp.maximum(count, 1.0), jnp.nan)


def similarity_terms(
    x: Array, y: Array, data_range: Array | float, weights: tuple[float, ...], cov_scale: float
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """What stands above and below the line of luminance, and of contrast and structure.

    Args:
      x: [B, H, W, C].
      y: the same shape.
      data_range: as for `ssim`.
      weights: of the window, along each axis.
      cov_scale: factor of variances and covariances.

    Returns:
      (luminance, structure) above the line, and below it, each [B, H', W', C].
    """
    zero = jnp.zeros(x.shape, jnp.float32)
    moments = _Moments(x.astype(jnp.float32), y.astype(jnp.float32), zero, zero, zero)
    for axis in (2, 1):
        moments = _pool(moments, weights, axis)  # the window is separable
    mu_x, mu_y = moments.mean_x, moments.mean_y  # [B, H', W', C]
    var_x, var_y, cov = (cov_scale * v for v in (moments.var_x, moments.var_y, moments.cov))
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    above = (2 * mu_x * mu_y + c1, 2 * cov + c2)
    return above, (mu_x**2 + mu_y**2 + c1, var_x + var_y + c2)


class _Moments(NamedTuple):
    """Of the pixels that a window has seen, each [B, H, W, C]."""

    mean_x: Array
    mean_y: Array
    var_x: Array
    var_y: Array
    cov: Array


def _pool(moments: _Moments, weights: tuple[float, ...], axis: int) -> _Moments:
    """Moments over windows along `axis` that lie inside the image.

    Variances are those within the parts plus that of the parts' means: E[x^2] - E[x]^2 would lose
    the digits of small variances in float32.
    """
    means = (moments.mean_x, moments.mean_y)
    mean_x, mean_y = _weighted_sum(lambda x, y: (x, y), means, weights, axis)

    def terms(x: Array, y: Array, var_x: Array, var_y: Array, cov: Array) -> tuple[Array, ...]:
        dx, dy = x - mean_x, y - mean_y
        return var_x + dx * dx, var_y + dy * dy, cov + dx * dy

    return _Moments(mean_x, mean_y, *_weighted_sum(terms, moments, weights, axis))


def _weighted_sum(
    terms: Callable[..., tuple[Array, ...]],
    arrays: tuple[Array, ...],
    weights: tuple[float, ...],
    axis: int,
) -> tuple[Array, ...]:
    """sum_i weights[i] terms(arrays shifted by i along `axis`).

    A scan over shifts: XLA's convolutions with gradients are very slow on a CPU, and an unrolled
    sum becomes one fusion that takes half a minute to compile.
    """
    length = arrays[0].shape[axis] - len(weights) + 1

    @jax.checkpoint  # else the gradient keeps the terms of every shift
    def step(total: tuple[Array, ...], shift: tuple[Array, Array]) -> tuple[Any, None]:
        i, weight = shift
        parts = (jax.lax.dynamic_slice_in_dim(a, i, length, axis) for a in arrays)
        return tuple(t + weight * v for t, v in zip(total, terms(*parts), strict=True)), None

    parts = (jax.lax.slice_in_dim(a, 0, length, axis=axis) for a in arrays)
    zeros = tuple(jnp.zeros_like(v) for v in terms(*parts))
    total, _ = jax.lax.scan(
        step, zeros, (jnp.arange(len(weights)), jnp.asarray(weights, jnp.float32))
    )
    return total
