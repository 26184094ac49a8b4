"""Figures of forecasts, frame by frame."""

import jax
import jax.numpy as jnp

from gm_jax.metrics.image import mse, psnr
from gm_jax.metrics.ssim import SSIM_WINDOW, ssim

Array = jax.Array


def frame_figures(prediction: Array, target: Array) -> dict[str, Array]:
    """mse, mae, psnr and (from 11 pixels on) ssim of each frame.

    Args:
      prediction: on [0, 1], [B, M, H, W, C], or [B, H, W, C] for one frame each.
      target: the same shape.

    Returns:
      [B, M] each; M is 1 for images.
    """
    batch, shape = prediction.shape[0], prediction.shape[-3:]
    x, y = (v.reshape(-1, *shape) for v in (prediction, target))
    figures = {"mse": mse(x, y), "mae": jnp.abs(x - y).mean((1, 2, 3)), "psnr": psnr(x, y)}
    if min(shape[:2]) >= SSIM_WINDOW:
        figures["ssim"] = ssim(x, y)
    return {name: values.reshape(batch, -1) for name, values in figures.items()}
