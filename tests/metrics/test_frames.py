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


def test_only_what_was_seen_counts():
    """Against means over the pixels seen, and scikit-image's map over windows wholly seen."""
    x, y = RNG.random((2, 2, 2, 15, 14, 1)).astype(np.float32)
    seen = np.ones(x.shape, bool)
    seen[0, 0, :3, :2] = False
    seen[1, 1] = False
    y[~seen] = 1.0  # the level of what is missing
    figures = frame_figures(jnp.array(x), jnp.array(y), jnp.array(seen))
    for b, m in [(0, 0), (0, 1), (1, 0)]:
        a, t, s = x[b, m].astype(np.float64), y[b, m].astype(np.float64), seen[b, m]
        error = ((a - t)[s] ** 2).mean()
        np.testing.assert_allclose(figures["mse"][b, m], error, rtol=1e-5)
        np.testing.assert_allclose(figures["mae"][b, m], np.abs(a - t)[s].mean(), rtol=1e-5)
        np.testing.assert_allclose(figures["psnr"][b, m], -10 * np.log10(error), rtol=1e-5)
        whole = structural_similarity(
            a,
            t,
            channel_axis=-1,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        inside = [
            whole[i, j, 0]
            for i in range(5, 10)
            for j in range(5, 9)
            if s[i - 5 : i + 6, j - 5 : j + 6].all()
        ]
        assert len(inside) == (20 if s.all() else 5 * 4 - 3 * 2)
        np.testing.assert_allclose(figures["ssim"][b, m], np.mean(inside), atol=1e-5)
    assert all(np.isnan(values[1, 1]) for values in figures.values())
