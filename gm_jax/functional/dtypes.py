"""The types that networks compute in, and that in which sums of many small numbers are taken."""

import contextlib

import jax
import jax.numpy as jnp

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
"""What a network may compute in, by the names that configs have for it."""


def full_precision() -> contextlib.AbstractContextManager[object]:
    """Inside it float32 products of matrices and convolutions are traced as such.

    For what is promised exactly: by default a GPU may round their factors to TF32, and a TPU to
    bfloat16.
    """
    return jax.default_matmul_precision("highest")


def at_least_float32(x: jax.Array) -> jax.Array:
    """bfloat16, float16 and integers as float32; float64 as it is."""
    x = jnp.asarray(x)
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
