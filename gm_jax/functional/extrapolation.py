"""Forecasts without learning: the last frame as it is, or moved on as the frames before it moved.

What every learned forecast has to beat.
"""

import jax
import jax.numpy as jnp

from gm_jax.functional.warping import backward_warp

Array = jax.Array

_FLOOR = 1e-6  # of the cross-power spectrum, relative to its largest value


def persistence(context: Array, times: Array) -> Array:
    """The last frame at every time.

    Args:
      context: [B, N, H, W, C].
      times: [B, M'].

    Returns:
      [B, M', H, W, C].
    """
    shape = (context.shape[0], times.shape[1], *context.shape[2:])
    return jnp.broadcast_to(context[:, -1:], shape)


def linear_extrapolation(context: Array, context_time: Array, times: Array) -> Array:
    """The last frame, moved at one velocity for each example, which its known frames had.

    The shift of each frame against the one before it is found by phase correlation; the velocity
    is the least-squares fit of these shifts to the intervals between the frames. With one known
    frame it is 0. What comes in at the edge has the edge's value.

    Args:
      context: [B, N, H, W, C].
      context_time: seconds, increasing, [B, N].
      times: seconds after the last known frame, [B, M'].

    Returns:
      float32 [B, M', H, W, C].
    """
    batch, num, height, width, channels = context.shape
    context = context.astype(jnp.float32)
    velocity = jnp.zeros((batch, 2))  # pixels a second
    if num > 1:
        earlier, later = (c.reshape(-1, height, width, channels) for c in _pairs(context))
        shifts = phase_correlation(earlier, later).reshape(batch, num - 1, 2)
        intervals = jnp.diff(context_time, axis=1)[..., None]  # [B, N - 1, 1]
        velocity = (shifts * intervals).sum(1) / (intervals**2).sum(1)
    shift = velocity[:, None] * times[..., None]  # [B, M', 2]
    displacement = jnp.broadcast_to(
        -shift.reshape(-1, 1, 1, 2), (batch * times.shape[1], height, width, 2)
    )
    last = persistence(context, times)
    moved = backward_warp(last.reshape(-1, height, width, channels), displacement)
    return moved.reshape(last.shape)


def phase_correlation(earlier: Array, later: Array) -> Array:
    """By how much images moved as a whole (Kuglin & Hines 1975), to a fraction of a pixel.

    The inverse transform of the normalized cross-power spectrum has its peak at the shift; a
    parabola through the peak and its two neighbours along each axis says where between pixels.

    Args:
      earlier: [B, H, W, C].
      later: the same shape.

    Returns:
      Rows and columns that the content of `later` lies further down and to the right, each in
      [-size / 2, size / 2], float32 [B, 2]; 0 for images without any content.
    """
    batch, height, width, _ = earlier.shape
    a, b = (_spectrum(v) for v in (earlier, later))
    cross = (b * jnp.conj(a)).sum(-1)  # [B, H, W]; all channels move together
    size = jnp.abs(cross)
    floor = _FLOOR * size.max((1, 2), keepdims=True)
    # Frequencies that are hardly there say little: their phase is rounding.
    phase = cross / jnp.maximum(size, jnp.maximum(floor, 1e-12))
    correlation = jnp.fft.ifft2(phase, axes=(1, 2)).real
    place = jnp.argmax(correlation.reshape(batch, -1), axis=1)
    row, column = place // width, place % width

    def at(row: Array, column: Array) -> Array:  # [B]
        index = (row % height) * width + column % width
        return jnp.take_along_axis(correlation.reshape(batch, -1), index[:, None], 1)[:, 0]

    peak = at(row, column)
    down = row + _vertex(at(row - 1, column), peak, at(row + 1, column))
    right = column + _vertex(at(row, column - 1), peak, at(row, column + 1))
    return jnp.stack([_signed(down, height), _signed(right, width)], -1)


def _pairs(context: Array) -> tuple[Array, Array]:
    """Each frame and the one after it, [B, N - 1, H, W, C] twice."""
    return context[:, :-1], context[:, 1:]


def _spectrum(x: Array) -> Array:
    """Of images [B, H, W, C] less their mean, faded out towards the edges.

    Else the step from one edge to the other, which does not move, has a peak at 0 of its own.
    """
    x = x.astype(jnp.float32)
    rows, columns = (jnp.hanning(size + 2)[1:-1] for size in x.shape[1:3])
    window = (rows[:, None] * columns[None, :])[None, :, :, None]
    return jnp.fft.fft2((x - x.mean((1, 2), keepdims=True)) * window, axes=(1, 2))


def _vertex(before: Array, peak: Array, after: Array) -> Array:
    """Where in [-1/2, 1/2] the parabola through a peak and its neighbours has its top."""
    curvature = 2 * peak - before - after  # not negative
    return 0.5 * (after - before) / jnp.where(curvature > 0, curvature, 1.0)


def _signed(shift: Array, size: int) -> Array:
    """A shift in [0, size) as the one in [-size / 2, size / 2) that is the same on a circle."""
    return jnp.where(shift > size / 2, shift - size, shift)
