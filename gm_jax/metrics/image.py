"""Distances between an image and its reconstruction, one number for each example."""

import math

import jax
import jax.numpy as jnp
import optax

from gm_jax.metrics.flattening import flat

Array = jax.Array

# Probabilities are kept this far from 0 and 1 before a logarithm, as in Keras: at most 16.1 nats.
_EPSILON = 1e-7

MAX_PSNR = 100.0
"""Decibels that equal images are given, as x264 gives them: more than any others of 256 levels and
fewer than 150,000 values have, whose least difference is one level of one value."""


def mse(prediction: Array, target: Array) -> Array:
    """Mean squared error over all values of an example.

    Args:
      prediction: [B, ...].
      target: the same shape.

    Returns:
      In squared units of the images, [B].

    Raises:
      ValueError: where the shapes differ.
    """
    prediction, target = _float32_pair(prediction, target)
    return optax.losses.squared_error(flat(prediction), flat(target)).mean(1)


def bce(prediction: Array, target: Array) -> Array:
    """Binary cross-entropy, the mean over all values of an example.

    From logits rather than probabilities, `-bernoulli_log_prob` is more exact.

    Args:
      prediction: probabilities in [0, 1], [B, ...].
      target: in [0, 1] (grey values allowed), the same shape.

    Returns:
      Nats, [B]. At grey targets the least value is not 0 but the targets' own entropy.

    Raises:
      ValueError: where the shapes differ.
    """
    prediction, target = _float32_pair(prediction, target)
    p = jnp.clip(prediction, _EPSILON, 1.0 - _EPSILON)
    return _mean(-(target * jnp.log(p) + (1.0 - target) * jnp.log1p(-p)))


def kld(prediction: Array, target: Array) -> Array:
    """KL(target || prediction) of two examples read as distributions over their values.

    Both are divided by their sums first, as `scipy.stats.entropy(target, prediction)` does. (The KL
    term of a VAE is another thing: `gm_jax.functional.divergences`.)

    Args:
      prediction: not negative, [B, ...].
      target: not negative, the same shape.

    Returns:
      Nats, at least 0, [B]; finite also where a prediction is 0 and its target is not.

    Raises:
      ValueError: where the shapes differ.
    """
    p, q = (_distribution(x) for x in _float32_pair(target, prediction))
    # The terms of sum p log(p/q) cancel where p and q are close; with -p + q, none is below 0.
    ratio = p / q
    return (q * (ratio * jnp.log(ratio) - (ratio - 1.0))).sum(1)


def psnr(prediction: Array, target: Array, data_range: float = 1.0) -> Array:
    """Peak signal-to-noise ratio, 10 log10(data_range^2 / mse), at most `MAX_PSNR`.

    Bounded, because one equal pair would make a mean over many infinite.

    Args:
      prediction: [B, ...].
      target: the same shape.
      data_range: largest value minus smallest value that an image can have.

    Returns:
      Decibels, [B]; `MAX_PSNR` where the two are equal.

    Raises:
      ValueError: where the shapes differ.
    """
    return psnr_of_mse(mse(prediction, target), data_range)


def psnr_of_mse(error: Array, data_range: float = 1.0) -> Array:
    """`psnr` of examples whose mean squared errors are known, [B]."""
    # Differences of logarithms: the quotient of a large range and a tiny error could overflow.
    decibels = 20.0 * math.log10(data_range) - 10.0 * jnp.log10(error)
    return jnp.minimum(decibels, MAX_PSNR)


def _float32_pair(prediction: Array, target: Array) -> tuple[Array, Array]:
    if prediction.shape != target.shape:  # [B, H, W, 1] must not broadcast silently
        raise ValueError(f"shapes {prediction.shape} and {target.shape} differ")
    return jnp.asarray(prediction).astype(jnp.float32), jnp.asarray(target).astype(jnp.float32)


def _mean(x: Array) -> Array:
    return flat(x).mean(1)


def _distribution(x: Array) -> Array:
    """[B, ...] -> [B, D], positive with sum 1; an example of zeros becomes uniform."""
    x = jnp.maximum(x.reshape(x.shape[0], math.prod(x.shape[1:])), _EPSILON)
    return x / x.sum(1, keepdims=True)
