"""Structural similarity over several scales (Wang, Simoncelli & Bovik 2003, Asilomar)."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gm_jax.metrics.ssim import SSIM_WINDOW, WindowError, gaussian_window, similarity_terms

Array = jax.Array

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the paper, for the finest scale first."""
_SIGMA = 1.5


def ms_ssim(
    prediction: Array,
    target: Array,
    data_range: float = 1.0,
    *,
    weights: Sequence[float] = MS_SSIM_WEIGHTS,
    window_size: int = SSIM_WINDOW,
) -> Array:
    """Multi-scale structural similarity of each pair of images.

      MS-SSIM = l_M^w_M prod_{j = 1..M} cs_j^w_j

    with cs_j the mean of (2 cov_xy + C2) / (var_x + var_y + C2) at scale j, l_M the luminance term
    of the coarsest (there the mean of the product l cs is taken), and each scale the mean of 2 x 2
    pixels of the one before (an odd side repeats its last row or column). Windows are Gaussian,
    with sigma 1.5. A mean below 0 counts as 0, for it has no such power. Channels are averaged
    last.

    Args:
      prediction: [B, H, W, C].
      target: the same shape.
      data_range: largest value minus smallest value that an image can have.
      weights: one for each scale; fewer than the five of the paper (e.g. `MS_SSIM_WEIGHTS[:3]`,
        divided by their sum) let smaller images be compared, by numbers of their own.
      window_size: side of the window in pixels, odd.

    Returns:
      In [0, 1], 1 for equal images where the weights have the sum 1, [B].

    Raises:
      WindowError: where the window is even or the images are too small for so many scales: five
        need 161 pixels with the window of 11.
      ValueError: where the shapes differ or are not [B, H, W, C].
    """
    if prediction.shape != target.shape or prediction.ndim != 4:
        shapes = f"{prediction.shape} and {target.shape}"
        raise ValueError(f"ms_ssim compares images [B, H, W, C] of one shape, not {shapes}")
    if not len(weights):
        raise ValueError("ms_ssim needs a weight for each scale, and at least one scale")
    if window_size < 1 or window_size % 2 == 0:
        raise WindowError(f"ms_ssim needs an odd window_size of 1 or more, not {window_size}")
    scales, (height, width) = len(weights), prediction.shape[1:3]
    coarsest = -(-min(height, width) // 2 ** (scales - 1))
    if coarsest < window_size:
        least = (window_size - 1) * 2 ** (scales - 1) + 1
        raise WindowError(
            f"ms_ssim of {scales} scales with a window of {window_size}x{window_size} pixels needs "
            f"images of {least}x{least} or more, not {height}x{width}: give fewer weights"
        )
    return _over_scales(prediction, target, data_range, tuple(weights), window_size)


@functools.partial(jax.jit, static_argnames=("weights", "window_size"))
def _over_scales(
    x: Array, y: Array, data_range: Array, weights: tuple[float, ...], window_size: int
) -> Array:
    """The formula above: [B, H, W, C] twice -> [B]."""
    window = gaussian_window(window_size, _SIGMA)
    x, y = x.astype(jnp.float32), y.astype(jnp.float32)
    product = jnp.ones((x.shape[0], x.shape[3]), jnp.float32)  # [B, C]
    for scale, weight in enumerate(weights):
        above, below = similarity_terms(x, y, data_range, window, 1.0)
        similarity = above[1] / below[1]
        if scale == len(weights) - 1:
            similarity = similarity * above[0] / below[0]
        product *= jnp.maximum(similarity.mean((1, 2)), 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return product.mean(-1)


def _halved(x: Array) -> Array:
    """Means of 2 x 2 pixels, [B, H, W, C] -> [B, ceil(H / 2), ceil(W / 2), C]."""
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return x.reshape(batch, -(-height // 2), 2, -(-width // 2), 2, channels).mean((2, 4))
