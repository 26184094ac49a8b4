"""Images moved along a field of displacements."""

import jax
import jax.numpy as jnp

Array = jax.Array


def flow_displacement(velocity: Array, tau: Array, steps: int = 1) -> Array:
    """Where a steady field of velocities leads to from each place within a time.

      d₀ = 0,   d' = d + (τ / K) v(x + d)

    v being looked up bilinearly: the semi-Lagrangian trajectories of Staniforth & Côté 1991 (Mon.
    Weather Rev. 119). One step is τ v; more follow a curved way, such as that of a rotation.

    Args:
      velocity: pixels per unit of τ, rows then columns, [B, H, W, 2].
      tau: [B].
      steps: K, at least 1.

    Returns:
      Pixels, [B, H, W, 2]; 0 to the bit where the velocity is 0.
    """
    step = tau[:, None, None, None] / steps
    displacement = step * velocity
    for _ in range(steps - 1):
        displacement += step * backward_warp(velocity, displacement)
    return displacement


def backward_warp(image: Array, displacement: Array) -> Array:
    """The image looked up at x + displacement(x), bilinearly; beyond its edge is the edge's value.

    So what is seen moves by about minus the displacement. Where that is 0 the image comes back
    as it is, to the bit. Differentiable in both (Jaderberg et al. 2015, arXiv:1506.02025).

    Args:
      image: [B, H, W, C].
      displacement: in pixels, rows then columns, [B, H, W, 2].

    Returns:
      [B, H, W, C].
    """
    batch, height, width, channels = image.shape
    pixels = image.reshape(batch, height * width, channels)
    grid = jnp.stack(jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij"), -1)
    most = jnp.array([height - 1, width - 1], jnp.float32).reshape(1, 1, 1, 2)
    place = jnp.clip(grid[None] + displacement, 0.0, most)  # [B, H, W, 2]
    corner = jax.lax.stop_gradient(jnp.floor(place))
    part = place - corner  # in [0, 1)
    first = corner.astype(jnp.int32)
    second = jnp.minimum(first + 1, most.astype(jnp.int32))

    def at(rows: Array, columns: Array) -> Array:  # [B, H, W] twice -> [B, H, W, C]
        index = (rows * width + columns).reshape(batch, -1, 1)
        return jnp.take_along_axis(pixels, index, axis=1).reshape(image.shape)

    y, x = part[..., :1], part[..., 1:]
    top = (1 - x) * at(first[..., 0], first[..., 1]) + x * at(first[..., 0], second[..., 1])
    bottom = (1 - x) * at(second[..., 0], first[..., 1]) + x * at(second[..., 0], second[..., 1])
    return (1 - y) * top + y * bottom
