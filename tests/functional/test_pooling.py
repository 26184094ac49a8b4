import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.pooling import max_pool


def values(shape, dtype=jnp.float32):
    """Few different ones, so that many windows tie."""
    return jax.random.randint(jax.random.key(0), shape, -2, 3).astype(dtype)


def with_gradient(pool, x):
    """What comes out, and the gradient by x of something that weighs every place differently."""

    @jax.jit
    def both(x):
        y, back = jax.vjp(pool, x)
        dy = jax.random.normal(jax.random.key(1), y.shape, y.dtype)
        return y, back(dy)[0]

    return both(x)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("shape", "size"), [((2, 7, 6, 3), 2), ((1, 10, 11, 1), 3)])
def test_values_and_gradients_are_those_of_windows(shape, size, dtype):
    x = values(shape, dtype)
    found = with_gradient(lambda x: max_pool(x, size), x)
    expected = with_gradient(
        lambda x: nn.max_pool(x, (size, size), (size, size), padding="SAME"), x
    )
    chex.assert_trees_all_equal(found, expected)
    chex.assert_type(found, dtype)


def test_by_a_loop():
    x = values((2, 5, 4, 3))
    expected = np.empty((2, 3, 2, 3), np.float32)
    for i in range(3):
        for j in range(2):
            # "SAME": of an odd size the last window hangs over the end.
            expected[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
    chex.assert_trees_all_equal(max_pool(x, 2), expected)


@pytest.mark.parametrize("place", range(4))
def test_what_is_not_a_number_stays_so(place):
    x = jnp.ones((1, 2, 2, 1)).at[0, place // 2, place % 2, 0].set(jnp.nan)
    assert jnp.isnan(max_pool(x, 2)).all()


def test_integers():
    x = values((1, 3, 3, 2), jnp.int32)
    chex.assert_trees_all_equal(max_pool(x, 2)[:, 1, 1], x[:, 2, 2])
