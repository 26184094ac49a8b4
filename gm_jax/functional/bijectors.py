"""Invertible maps of images and vectors, how they change volumes, and the masks they use.

Every map is a pair, `*_forward` and `*_inverse`. Both return what they make and log |det J| of
their own direction in nats, one number for each example, [B]; where a map only moves values about,
the numbers are zeros. For y = f(x) densities change by

  log p(x) = log p(y) + log |det dy/dx|        (Dinh et al. 2017, arXiv:1605.08803, equation 3)
"""

import math

import jax
import jax.numpy as jnp

from gm_jax.functional.likelihoods import sum_per_example

Array = jax.Array

# The smallest standard deviation that `standardization` divides by.
_MIN_STD = 1e-4


def bounded_log_scale(raw: Array, limit: float) -> Array:
    """limit * tanh(raw / limit): a log-scale between ±limit, with slope 1 at 0.

    An affine coupling without a bound can multiply by e^50 in one bad step, and never comes back.

    Args:
      raw: any real numbers, [...].
      limit: greater than 0.

    Returns:
      Nats, [...].
    """
    return limit * jnp.tanh(raw / limit)


def affine_forward(x: Array, log_scale: Array, shift: Array) -> tuple[Array, Array]:
    """y = x * exp(log_scale) + shift: the map of a coupling, and of activation normalization.

    Args:
      x: [B, ...].
      log_scale: nats, of a shape that broadcasts to x's.
      shift: of a shape that broadcasts to x's.

    Returns:
      y [B, ...] and log |det dy/dx| [B].
    """
    log_scale = jnp.broadcast_to(log_scale, x.shape)
    return x * jnp.exp(log_scale) + jnp.broadcast_to(shift, x.shape), sum_per_example(log_scale)


def affine_inverse(y: Array, log_scale: Array, shift: Array) -> tuple[Array, Array]:
    """x = (y - shift) * exp(-log_scale), and log |det dx/dy|; arguments as `affine_forward`."""
    log_scale = jnp.broadcast_to(log_scale, y.shape)
    x = (y - jnp.broadcast_to(shift, y.shape)) * jnp.exp(-log_scale)
    return x, -sum_per_example(log_scale)


def standardization(x: Array) -> tuple[Array, Array]:
    """The affine map that gives each channel of a batch mean 0 and variance 1.

    Activation normalization starts as this map (Kingma & Dhariwal 2018, arXiv:1807.03039, §3.1). A
    channel that is the same in all of the batch keeps its scale: the batch says nothing of it.

    Args:
      x: [B, ..., C].

    Returns:
      log_scale [C] and shift [C] for `affine_forward`.
    """
    axes = tuple(range(x.ndim - 1))
    mean, std = x.mean(axes), x.std(axes)  # [C]
    std = jnp.where(std > _MIN_STD, std, 1.0)
    return -jnp.log(std), -mean / std


def logit_forward(x: Array, alpha: float) -> tuple[Array, Array]:
    """y = logit(alpha + (1 - 2 alpha) x): the unit interval to ±logit(alpha), which is finite.

    Args:
      x: in [0, 1], [B, ...].
      alpha: in (0, 1/2).

    Returns:
      y [B, ...] and log |det dy/dx| [B].
    """
    p = alpha + (1.0 - 2.0 * alpha) * x
    log_p, log_q = jnp.log(p), jnp.log1p(-p)
    return log_p - log_q, sum_per_example(math.log1p(-2.0 * alpha) - log_p - log_q)


def logit_inverse(y: Array, alpha: float) -> tuple[Array, Array]:
    """x = (sigmoid(y) - alpha) / (1 - 2 alpha), which leaves [0, 1] beyond ±logit(alpha).

    Args:
      y: any real numbers, [B, ...].
      alpha: in (0, 1/2).

    Returns:
      x [B, ...] and log |det dx/dy| [B].
    """
    x = (jax.nn.sigmoid(y) - alpha) / (1.0 - 2.0 * alpha)
    log_det = jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y) - math.log1p(-2.0 * alpha)
    return x, sum_per_example(log_det)


def squeeze_forward(x: Array) -> tuple[Array, Array]:
    """Space to depth: each 2x2 square of places becomes one place with four times the channels.

    Args:
      x: [B, H, W, C] with even H and W.

    Returns:
      [B, H/2, W/2, 4C], in which channel (2i + j) C + c is channel c of row i, column j of a
      square; and zeros [B].

    Raises:
      ValueError: an odd height or width.
    """
    b, h, w, c = x.shape
    if h % 2 or w % 2:
        raise ValueError(f"squeezing needs an even height and width, not {h}x{w}")
    y = x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return y.reshape(b, h // 2, w // 2, 4 * c), jnp.zeros(b)


def squeeze_inverse(y: Array) -> tuple[Array, Array]:
    """Depth to space, [B, H, W, 4C] to [B, 2H, 2W, C]; and zeros [B]."""
    b, h, w, c = y.shape
    x = y.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, 2 * h, 2 * w, c // 4), jnp.zeros(b)


def flip_forward(x: Array) -> tuple[Array, Array]:
    """The last axis in reverse: after it, the other half of the values comes first.

    Args:
      x: [B, ..., C].

    Returns:
      [B, ..., C] and zeros [B].
    """
    return x[..., ::-1], jnp.zeros(x.shape[0])


def flip_inverse(y: Array) -> tuple[Array, Array]:
    """The same again: a flip undoes itself."""
    return flip_forward(y)


def checkerboard_mask(height: int, width: int, parity: int) -> Array:
    """1 where row + column + parity is even, else 0: float32 [H, W, 1]."""
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    return ((rows + columns + parity) % 2 == 0).astype(jnp.float32)[..., None]
