"""Attention against a loop over queries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.attention import attend

RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(2, 7, 2, 3)).astype(np.float32)
KEY, VALUE = RNG.normal(size=(2, 2, 5, 2, 3)).astype(np.float32)


def naive(query, key, value, scale):
    out = np.zeros(query.shape)
    for b, t, head in np.ndindex(query.shape[:3]):
        scores = scale * key[b, :, head] @ query[b, t, head]
        weights = np.exp(scores - scores.max())
        out[b, t, head] = weights / weights.sum() @ value[b, :, head]
    return out


@pytest.mark.parametrize("max_queries", [0, 1, 3, 7])
def test_it_is_the_naive_one_in_blocks_of_any_size(max_queries):
    for scale in (None, 1.0):
        expected = naive(*(np.float64(a) for a in (QUERY, KEY, VALUE)), scale or 3**-0.5)
        out = attend(QUERY, KEY, VALUE, scale, max_queries)
        np.testing.assert_allclose(out, expected, atol=1e-5)


def test_heads_of_one_channel_also_in_bfloat16():
    query, key, value = (np.tile(a[..., :1], (1, 7, 1, 1)) for a in (QUERY, KEY, VALUE))
    expected = naive(*(np.float64(a) for a in (query, key, value)), 1.0)
    np.testing.assert_allclose(attend(query, key, value), expected, atol=1e-5)
    low = (jnp.asarray(a, jnp.bfloat16) for a in (query, key, value))
    np.testing.assert_allclose(jax.jit(attend)(*low).astype(np.float32), expected, atol=0.05)


def test_gradients_do_not_depend_on_the_blocks():
    def gradients(max_queries):
        def total(*args):
            return (attend(*args, max_queries=max_queries) ** 2).sum()

        return jax.grad(total, (0, 1, 2))(QUERY, KEY, VALUE)

    for whole, blocks in zip(gradients(7), gradients(3), strict=True):
        np.testing.assert_allclose(whole, blocks, atol=1e-5)
