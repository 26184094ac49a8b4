import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gm_jax.functional.upsampled_convolution import conv_of_upsampled

NUMBERS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def enlarged_first(x, w, scale, size, padding, strides, **options):
    """XLA's convolution of the map, enlarged by indices."""
    for axis, n in enumerate(size, 1):
        x = jnp.take(x, jnp.arange(n) // scale, axis)
    return lax.conv_general_dilated(x, w, strides, padding, **options)


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=s), jnp.float32) for s in shapes]


@pytest.mark.parametrize(
    ("space", "kernel", "scale", "size", "padding", "strides"),
    [
        ((3, 4), (3, 3), 2, (6, 8), "SAME", (1, 1)),
        ((3, 4), (2, 3), 2, (6, 8), "SAME", (1, 1)),  # an even kernel leans to the far end
        ((2, 3), (1, 1), 3, (6, 9), "SAME", (1, 1)),
        ((2, 2), (3, 3), 1, (2, 2), "SAME", (1, 1)),
        ((1, 1), (3, 3), 2, (2, 2), "SAME", (1, 1)),
        ((3, 3), (5, 5), 2, (6, 6), "SAME", (1, 1)),  # too many taps to save anything
        ((3, 3), (3, 3), 2, (5, 6), "SAME", (1, 1)),  # cropped
        ((3, 3), (3, 3), 2, (6, 6), "VALID", (1, 1)),
        ((3, 3), (3, 3), 2, (6, 6), ((0, 2), (3, 1)), (1, 1)),
        ((3, 3), (3, 3), 2, (6, 6), "SAME", (2, 1)),
        ((5,), (3,), 4, (20,), "SAME", (1,)),
        ((2, 2, 2), (2, 2, 2), 2, (4, 4, 4), "SAME", (1, 1, 1)),
    ],
)
def test_it_is_the_convolution_of_the_enlarged_map(space, kernel, scale, size, padding, strides):
    x, w = drawn((2, *space, 3), (*kernel, 3, 4))
    numbers = {"dimension_numbers": NUMBERS[len(space)]}
    ours = functools.partial(conv_of_upsampled, scale=scale, size=size, **numbers)
    plain = functools.partial(enlarged_first, scale=scale, size=size, **numbers)

    def both(f, x, w):
        y, pull = jax.vjp(f, x, w)
        return y, pull(jnp.cos(jnp.arange(y.size).reshape(y.shape)))

    got = both(lambda x, w: ours(x, w, strides, padding), x, w)
    expected = both(lambda x, w: plain(x, w, strides=strides, padding=padding), x, w)
    chex.assert_trees_all_close(got, expected, atol=2e-5)


def test_dilation_is_kept():
    x, w = drawn((2, 4, 4, 3), (3, 3, 3, 4))
    options = {"dimension_numbers": NUMBERS[2], "rhs_dilation": (2, 2)}
    ours = conv_of_upsampled(x, w, (1, 1), "SAME", scale=2, **options)
    plain = enlarged_first(x, w, 2, (8, 8), "SAME", (1, 1), **options)
    chex.assert_trees_all_close(ours, plain, atol=1e-5)


def test_weights_are_added_up_in_float32():
    """256 + 1 + 1 is 256 in bfloat16, where 258 is meant, and representable."""
    x = jnp.ones((1, 1, 1), jnp.bfloat16)
    w = jnp.asarray([1, 1, 256], jnp.bfloat16).reshape(3, 1, 1)
    y = conv_of_upsampled(x, w, (1,), "SAME", scale=3, dimension_numbers=NUMBERS[1])
    assert y.dtype == jnp.bfloat16
    assert y.ravel().tolist() == [256, 258, 2]


@pytest.mark.parametrize(("size", "enlarged"), [((6, 6), False), ((5, 6), True)])
def test_the_map_is_enlarged_only_where_it_must_be(size, enlarged):
    """7 channels are the input's: its program has no map of 6 places a side with as many."""
    x, w = drawn((2, 3, 3, 7), (3, 3, 7, 4))
    f = functools.partial(conv_of_upsampled, scale=2, size=size, dimension_numbers=NUMBERS[2])
    program = jax.jit(lambda x, w: f(x, w, (1, 1), "SAME")).lower(x, w).as_text()
    assert ("2x6x6x7xf32" in program) == enlarged
