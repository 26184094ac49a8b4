"""Arrays as one row an example, the form in which sums over an example are fast."""

import math
from typing import Any

import jax
from jax import lax

# Where the last axis is shorter, a CPU sums rows far faster than the array as it is.
_SHORT = 8


def flat(x: jax.Array) -> jax.Array:
    """[B, ...] -> [B, P], for a sum or mean over the last axis.

    XLA's CPU backend sums over all axes at once, and slowly where the last has few entries, as the
    channels of an image: thirty times for one, eight times for three. There rows are made in fact.
    """
    rows = rows_of(x)
    if x.ndim < 3 or x.shape[-1] >= _SHORT:
        return rows
    return _made_forward(rows)


def rows_of(x: jax.Array) -> jax.Array:
    """[B, ...] -> [B, P], also for B = 0."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def made(x: jax.Array) -> jax.Array:
    """x in fact, on a CPU: what comes before and after is not fused with it."""
    result: jax.Array = lax.platform_dependent(x, cpu=lax.optimization_barrier, default=lambda x: x)
    return result


_made_forward = jax.custom_jvp(made)


@_made_forward.defjvp
def _made_jvp(primals: Any, tangents: Any) -> Any:
    # Gradients need no rows, and are faster fused with what comes before.
    return _made_forward(*primals), *tangents
