"""Depthwise convolutions against XLA's convolution in groups, in value and every gradient."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.depthwise_convolution import depthwise_convolution

RNG = np.random.default_rng(0)


def in_groups(x, kernel, dilation):
    return jax.lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        (1, 1),
        "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@pytest.mark.parametrize(("size", "dilation"), [(5, 1), (3, 3)])
def test_it_is_a_convolution_in_groups(size, dilation):
    x, dy = (jnp.asarray(RNG.normal(size=(2, 6, 7, 3)), jnp.float32) for _ in range(2))
    kernel = jnp.asarray(RNG.normal(size=(size, size, 3)), jnp.float32)
    ours, theirs = (
        jax.vjp(lambda x, k, f=f: f(x, k, dilation), x, kernel)
        for f in (depthwise_convolution, in_groups)
    )
    chex.assert_trees_all_close(ours[0], theirs[0], atol=1e-5)
    chex.assert_trees_all_close(ours[1](dy), theirs[1](dy), atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 4, 3), (3, 5, 3), (3, 3, 2)])
def test_kernels_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"depthwise kernel must be \[k, k, 3\] with k odd, not"):
        depthwise_convolution(jnp.zeros((1, 6, 6, 3)), jnp.zeros(shape))
