"""Plots of power spectra: as many panels as can be read, and of frames with nothing in them."""

import numpy as np
from PIL import Image

from gm_jax.viz.spectra import plot_spectra


def test_some_of_many_lead_times_are_drawn(tmp_path):
    power = np.exp(-np.arange(12.0)) * np.ones((20, 1))
    sizes = []
    for num in (1, 3, 20):
        spectra = {"truth": power[:num], "model": power[:num] / 2, "nothing": 0 * power[:num]}
        plot_spectra(np.arange(1, num + 1) * 60.0, spectra, 16, tmp_path / "spectra.png")
        with Image.open(tmp_path / "spectra.png") as picture:
            sizes.append(picture.size)
    (one, high), three, twenty = sizes
    assert three == (3 * one, high)
    assert twenty == (3 * one, 2 * high)
    plot_spectra([60.0], {"truth": np.zeros((1, 12))}, 16, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").exists()
