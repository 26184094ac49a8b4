"""Radially averaged power spectra of images: how much of them is at which scale.

A forecast that is unsure and has to make its mean squared error small is blurred: it lacks power at
high wavenumbers (Ravuri et al. 2021, "Skilful precipitation nowcasting using deep generative models
of radar", Nature 597; Harris et al. 2001, J. Hydrometeorology 2, for spectra of rain).
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def radial_power(images: Array) -> Array:
    """Power by wavenumber: the sum of |DFT|^2 over a ring, of all channels.

    The ring k holds the frequencies whose distance from 0 rounds to k, in periods over the shorter
    side. The DFT is scaled so that the sum over all rings is the mean square of an image, over its
    pixels, summed over its channels (Parseval). Rings above half the shorter side lie in corners of
    the spectrum only.

    Args:
      images: [..., H, W, C].

    Returns:
      float32 [..., K], of the wavenumbers 0 .. K - 1.
    """
    images = jnp.asarray(images, jnp.float32)
    height, width = images.shape[-3:-1]
    rings = _rings(height, width)
    spectrum = jnp.fft.fft2(images, axes=(-3, -2)) / (height * width)
    power = (jnp.abs(spectrum) ** 2).sum(-1)  # [..., H, W]
    flat = jnp.moveaxis(power.reshape(*power.shape[:-2], -1), -1, 0)  # [H W, ...]
    summed = jax.ops.segment_sum(flat, rings.ravel(), num_segments=int(rings.max()) + 1)
    return jnp.moveaxis(summed, 0, -1)


def tapered(images: Array) -> Array:
    """Images less their mean, faded out towards the edges by Hann's window.

    A DFT takes an image for a tile of a plane: the step from one edge to the other has power at all
    wavenumbers, which would hide what is missing of the image's own.

    Args:
      images: [..., H, W, C].

    Returns:
      float32 [..., H, W, C].
    """
    images = jnp.asarray(images, jnp.float32)
    rows, columns = (np.hanning(size + 2)[1:-1] for size in images.shape[-3:-1])
    window = jnp.asarray(np.outer(rows, columns)[..., None], jnp.float32)  # [H, W, 1]
    window = window.reshape((1,) * (images.ndim - 3) + window.shape)
    return (images - images.mean((-3, -2), keepdims=True)) * window


def fine_wavenumbers(height: int, width: int) -> slice:
    """The upper third of the wavenumbers up to half the shorter side, which all directions have.

    Such as 11 to 16 of images of 32 pixels: what repeats every three pixels or less.
    """
    shorter = min(height, width)
    return slice(shorter // 3 + 1, shorter // 2 + 1)


def _rings(height: int, width: int) -> np.ndarray:
    """The wavenumber of each value of a DFT, int [H, W]."""
    shorter = min(height, width)
    rows, columns = (np.fft.fftfreq(size) * shorter for size in (height, width))
    return np.rint(np.hypot(rows[:, None], columns[None])).astype(int)
