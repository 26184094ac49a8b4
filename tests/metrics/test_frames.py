"""Figures of frames against scikit-image's."""

import jax.numpy as jnp
import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from gm_jax.metrics.frames import frame_figures

RNG = np.random.default_rng(0)


def test_figures_are_scikit_images_frame_by_frame():
    x, y = RNG.random((2, 2, 3, 13, 12, 1)).astype(np.float32)
    figures = frame_figures(jnp.array(x), jnp.array(y))
    for b, m in np.ndindex(2, 3):
        a, t = x[b, m].astype(np.float64), y[b, m].astype(np.float64)
        ssim = structural_similarity(
            a,
            t,
            channel_axis=-1,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        np.testing.assert_allclose(figures["ssim"][b, m], ssim, atol=1e-5)
        np.testing.assert_allclose(figures["mse"][b, m], ((a - t) ** 2).mean(), rtol=1e-4)
        np.testing.assert_allclose(figures["mae"][b, m], np.abs(a - t).mean(), rtol=1e-4)
        psnr = peak_signal_noise_ratio(t, a, data_range=1.0)
        np.testing.assert_allclose(figures["psnr"][b, m], psnr, rtol=1e-4)
