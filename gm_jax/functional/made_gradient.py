"""A point at which the gradient is an array in fact, as a CPU likes it."""

import jax

from gm_jax.metrics.flattening import made


@jax.custom_vjp
def gradient_made(x: jax.Array) -> jax.Array:
    """x itself; on a CPU its gradient is computed before anything is done with it.

    The gradient of a residual block's output is a sum that several others are computed from. XLA's
    CPU backend would fuse the sum, and what leads to it, into each of them: so it is computed as
    often, and in the order of a transposed matrix for the gradient of a dense layer's weights.
    Reverse mode only.
    """
    return x


def _forward(x: jax.Array) -> tuple[jax.Array, None]:
    return x, None


def _backward(_: None, dx: jax.Array) -> tuple[jax.Array]:
    return (made(dx),)


gradient_made.defvjp(_forward, _backward)
