"""The U-Net: the paper's size, any image's size, and its attention by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.errors import ConfigError
from gm_jax.nets.attention import SelfAttention
from gm_jax.nets.unet import UNet


def parameters(config, shape, num_classes=None):
    label = None if num_classes is None else jnp.zeros((1,), jnp.int32)
    module = config.module(shape, shape[-1], num_classes, jnp.float32)
    return jax.eval_shape(
        lambda: module.init(
            jax.random.key(0), jnp.zeros((1, *shape)), jnp.zeros((1,)), label, train=False
        )
    )


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_the_papers_network_has_35_7_million_parameters():
    # Ho et al. 2020, appendix B; to the last one the number of the released CIFAR-10 network.
    assert count(parameters(UNet(), (32, 32, 3))) == 35_746_307


def test_the_network_for_12x12_digits_has_one_and_a_half_million():
    config = UNet(channels=64, multipliers=(1, 1, 1), num_blocks=1, attention=())
    assert round(count(parameters(config, (12, 12, 1))) / 1e6, 1) == 1.5


@pytest.mark.parametrize("shape", [(12, 12, 1), (7, 13, 3), (1, 5, 1), (9, 9, 2)])
def test_any_size_fits(shape):
    config = UNet(channels=4, multipliers=(1, 2, 1), num_blocks=1, attention=(5,), num_heads=2)
    module = config.module(shape, shape[-1], 3, jnp.float32)
    variables = parameters(config, shape, 3)
    out = jax.eval_shape(
        lambda v: module.apply(
            v, jnp.zeros((2, *shape)), jnp.ones((2,)), jnp.arange(2), train=False
        ),
        variables,
    )
    chex.assert_shape(out, (2, *shape))


@pytest.mark.slow
def test_it_starts_at_zero_and_drops_in_training_only():
    config = UNet(channels=4, multipliers=(1, 1), num_blocks=1, dropout=0.5)
    module = config.module((4, 4, 1), 1, None, jnp.float32)
    x, t = jax.random.normal(jax.random.key(0), (2, 4, 4, 1)), jnp.ones((2,))
    variables = module.init(jax.random.key(1), x, t, None, train=False)
    np.testing.assert_array_equal(module.apply(variables, x, t, None, train=False), 0.0)
    moved = jax.tree.map(lambda p: p + 0.1, variables)

    def out(train, seed=0):
        return module.apply(moved, x, t, None, train=train, rngs={"dropout": jax.random.key(seed)})

    chex.assert_trees_all_equal(out(False), out(False, 1))
    assert (out(True) != out(True, 1)).any()


def test_attention_is_a_softmax_over_all_places():
    module = SelfAttention(num_heads=2, dtype=jnp.float32)
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 8))
    variables = module.init(jax.random.key(1), x)
    chex.assert_trees_all_equal(module.apply(variables, x), x)  # nothing is added at first
    variables = jax.tree.map(
        lambda p: p + 0.5 * jax.random.normal(jax.random.key(2), p.shape), variables
    )
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), variables["params"])
    h = np.asarray(x, np.float64).reshape(2, 12, 2, 4)  # 2 groups of 4 channels
    h = (h - h.mean((1, 3), keepdims=True)) / np.sqrt(h.var((1, 3), keepdims=True) + 1e-6)
    h = h.reshape(2, 12, 8) * p["GroupNorm_0"]["scale"] + p["GroupNorm_0"]["bias"]
    q, k, v = (
        np.einsum("bnc,chd->bnhd", h, p[n]["kernel"]) + p[n]["bias"]
        for n in ("query", "key", "value")
    )
    out = np.zeros((2, 12, 2, 4))
    for b in range(2):
        for head in range(2):
            scores = q[b, :, head] @ k[b, :, head].T / np.sqrt(4)
            weights = np.exp(scores - scores.max(1, keepdims=True))
            out[b, :, head] = weights / weights.sum(1, keepdims=True) @ v[b, :, head]
    last = p["DenseGeneral_0"]
    out = np.einsum("bnhd,hdc->bnc", out, last["kernel"]) + last["bias"]
    np.testing.assert_allclose(
        module.apply(variables, x), np.asarray(x) + out.reshape(x.shape), atol=1e-4
    )


def test_heads_have_to_divide_the_channels():
    with pytest.raises(ConfigError, match="num_heads 3 does not divide 128"):
        UNet(num_heads=3)
