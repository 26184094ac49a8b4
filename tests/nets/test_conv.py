import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from gm_jax.nets.conv import Conv, ConvTranspose

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 5, 3)), jnp.float32)  # [B, H, W, C]


def assert_parity(ours, theirs, x):
    """Same parameters from the same key; same values and gradients from the same parameters."""
    params = theirs.init(jax.random.key(0), x)
    chex.assert_trees_all_equal(ours.init(jax.random.key(0), x), params)

    def value_and_gradients(module):
        def loss(params, x):
            y = module.apply(params, x)
            return jnp.mean(jnp.sin(y).astype(jnp.float32)), y

        return jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(params, x)

    chex.assert_trees_all_close(
        value_and_gradients(ours), value_and_gradients(theirs), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": (3, 3)},
        {"kernel_size": (4, 4), "strides": (2, 2), "padding": 1, "use_bias": False},
        {"kernel_size": (3, 3), "kernel_dilation": 2, "padding": "CIRCULAR"},
        {"kernel_size": (3, 3), "strides": 2, "padding": "VALID"},
        {"kernel_size": (3, 2), "padding": ((2, 0), (1, 0)), "mask": jnp.ones((3, 2, 3, 4))},
        {"kernel_size": (3, 3), "kernel_init": nn.initializers.normal(0.02)},
    ],
    ids=lambda k: "-".join(k),
)
def test_conv_is_linens(options):
    assert_parity(Conv(4, **options), nn.Conv(4, **options), X)


def test_causal_conv_is_linens():
    options = {"kernel_size": 3, "kernel_dilation": 2, "padding": "CAUSAL"}
    assert_parity(Conv(4, **options), nn.Conv(4, **options), X[:, 0])


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": (4, 4), "strides": (2, 2)},
        {"kernel_size": (3, 3), "use_bias": False},
        {"kernel_size": (5, 5), "strides": 2, "padding": "VALID"},
        {"kernel_size": (4, 4), "strides": (2, 2), "padding": 1, "mask": jnp.ones((4, 4, 3, 4))},
        {"kernel_size": (3, 3), "strides": (2, 2), "padding": "CIRCULAR"},
        {"kernel_size": (3, 3), "strides": (2, 2), "transpose_kernel": True},
    ],
    ids=lambda k: "-".join(k),
)
def test_conv_transpose_is_linens(options):
    assert_parity(ConvTranspose(4, **options), nn.ConvTranspose(4, **options), X)


def test_any_number_of_batch_axes():
    for x in (X[0], X[None]):
        assert_parity(Conv(4, (3, 3)), nn.Conv(4, (3, 3)), x)
        assert_parity(ConvTranspose(4, (3, 3)), nn.ConvTranspose(4, (3, 3)), x)
    sequence = X[0, 0]  # [T, C], no batch axis
    assert_parity(ConvTranspose(4, 3, 2), nn.ConvTranspose(4, 3, 2), sequence)


def test_names_of_submodules_are_linens():
    def network(conv, conv_transpose):
        return nn.Sequential([conv(4, (3, 3)), nn.relu, conv_transpose(2, (4, 4), (2, 2))])

    class Holder(nn.Module):
        conv: type
        conv_transpose: type

        @nn.compact
        def __call__(self, x):
            return self.conv_transpose(2, (3, 3))(self.conv(4, (3, 3))(x))

    assert_parity(network(Conv, ConvTranspose), network(nn.Conv, nn.ConvTranspose), X)
    assert_parity(Holder(Conv, ConvTranspose), Holder(nn.Conv, nn.ConvTranspose), X)


def test_bfloat16_computation_keeps_float32_parameters():
    for module in (
        Conv(4, (3, 3), dtype=jnp.bfloat16),
        ConvTranspose(4, (3, 3), dtype=jnp.bfloat16),
    ):
        params = module.init(jax.random.key(0), X)
        assert {p.dtype for p in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}
        assert module.apply(params, X).dtype == jnp.bfloat16
        gradient = jax.grad(lambda p, m=module: jnp.sum(m.apply(p, X).astype(jnp.float32)))(params)
        chex.assert_trees_all_equal_dtypes(gradient, params)


def test_a_mask_of_the_wrong_shape_is_refused():
    module = ConvTranspose(4, (3, 3), mask=jnp.ones((3, 3, 4, 3)))
    with pytest.raises(ValueError, match="mask must have"):
        module.init(jax.random.key(0), X)
