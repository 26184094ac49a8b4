"""Figures of forecasts, frame by frame."""

import jax
import jax.numpy as jnp

from gm_jax.metrics.image import mse, psnr, psnr_of_mse
from gm_jax.metrics.ssim import SSIM_WINDOW, ssim

Array = jax.Array


def frame_figures(prediction: Array, target: Array, seen: Array | None = None) -> dict[str, Array]:
    """mse, mae, psnr and (from 11 pixels on) ssim of each frame.

    Args:
      prediction: on [0, 1], [B, M, H, W, C], or [B, H, W, C] for one frame each.
      target: the same shape.
      seen: where the target was seen, bool of the same shape; the others do not count (None: all
        were).

    Returns:
      [B, M] each; M is 1 for images. NaN for a frame of which nothing was seen (ssim: no window).
    """
    batch, shape = prediction.shape[0], prediction.shape[-3:]
    x, y = (v.reshape(-1, *shape) for v in (prediction, target))
    if seen is None:
        figures = {"mse": mse(x, y), "mae": jnp.abs(x - y).mean((1, 2, 3)), "psnr": psnr(x, y)}
    else:
        seen = seen.reshape(-1, *shape)
        x = jnp.where(seen, x, y)
        whole = seen.size // len(seen) / seen.sum((1, 2, 3))  # inf for nothing seen: 0 * inf is NaN
        error = mse(x, y) * whole
        figures = {
            "mse": error,
            "mae": jnp.abs(x - y).mean((1, 2, 3)) * whole,
            "psnr": psnr_of_mse(error),
        }
    if min(shape[:2]) >= SSIM_WINDOW:
        figures["ssim"] = ssim(x, y, seen=seen)
    return {name: values.reshape(batch, -1) for name, values in figures.items()}
