"""SAGAN's attention against NumPy (the multi-head one is tested with the U-Net)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.nets.attention import SaganAttention, SelfAttention

X = np.random.default_rng(0).normal(size=(2, 5, 4, 16)).astype(np.float32)


def block_means(x, r):
    rows, columns = -(-x.shape[1] // r), -(-x.shape[2] // r)
    out = np.zeros((len(x), rows, columns, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = x[:, i * r : (i + 1) * r, j * r : (j + 1) * r].mean((1, 2))
    return out


@pytest.mark.parametrize("reduction", [1, 2])
def test_sagan_attention_is_a_softmax_over_the_places_looked_at(reduction):
    module = SaganAttention(jnp.float32, reduction)
    variables = module.init(jax.random.key(0), X)
    np.testing.assert_array_equal(module.apply(variables, X), X)  # γ is 0 at first
    variables["params"]["gamma"] = jnp.float32(0.7)
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), variables["params"])
    small = block_means(X.astype(np.float64), reduction)
    h = small.reshape(2, -1, 16)
    q, k, v = (h @ p[n]["kernel"][:, 0] for n in ("query", "key", "value"))
    assert q.shape[-1] == 2  # C / 8
    scores = q @ k.swapaxes(1, 2)  # [B, looking, looked at]
    weights = np.exp(scores - scores.max(2, keepdims=True))
    weights /= weights.sum(2, keepdims=True)
    out = (weights @ v @ p["out"]["kernel"][0]).reshape(small.shape)
    out = out.repeat(reduction, 1).repeat(reduction, 2)[:, :5, :4]
    np.testing.assert_allclose(module.apply(variables, X), X + 0.7 * out, atol=1e-5)


def test_heads_may_be_narrower_than_the_map():
    variables = SelfAttention(2, jnp.float32, features=4).init(jax.random.key(0), X)
    assert variables["params"]["query"]["kernel"].shape == (16, 2, 2)
    assert variables["params"]["DenseGeneral_0"]["kernel"].shape == (2, 2, 16)
