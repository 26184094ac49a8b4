"""Draws from the priors of latents."""

import jax

Array = jax.Array


def truncated_normal(key: Array, shape: tuple[int, ...], truncation: float | None = None) -> Array:
    """z ~ N(0, I), float32 of `shape`.

    With a truncation t every value is drawn anew until it lies in [-t, t]: fewer kinds of images,
    and more typical ones (Brock et al. 2019, arXiv:1809.11096, section 3.1).
    """
    if truncation is None:
        return jax.random.normal(key, shape)
    return jax.random.truncated_normal(key, -truncation, truncation, shape)
