import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional import dequantization
from gm_jax.functional.dequantization import (
    dequantized_bits_per_dim,
    from_symmetric,
    from_unit,
    quantize,
    to_symmetric,
    to_unit,
    uniform_dequantize,
)


@pytest.mark.parametrize("num_levels", [2, 3, 16, 17, 200, 256])
def test_lattices_touch_their_ends_and_invert(num_levels):
    levels = jnp.arange(num_levels).astype(jnp.uint8)
    unit, symmetric = to_unit(levels, num_levels), to_symmetric(levels, num_levels)
    chex.assert_type([unit, symmetric], jnp.float32)
    assert (unit[0], unit[-1], symmetric[0], symmetric[-1]) == (0, 1, -1, 1)
    chex.assert_trees_all_equal(from_unit(unit, num_levels), levels)
    chex.assert_trees_all_equal(from_symmetric(symmetric, num_levels), levels)


def test_from_unit_rounds_and_clips():
    got = from_unit(jnp.array([-3.0, -0.01, 0.49, 0.51, 1.2, jnp.inf]), 2)
    chex.assert_trees_all_equal(got, np.array([0, 0, 0, 1, 1, 1], np.uint8))
    chex.assert_type(from_unit(jnp.zeros(2, jnp.bfloat16), 256), jnp.uint8)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_dequantized_values_stay_in_their_bins(num_levels):
    levels = jnp.arange(num_levels).astype(jnp.uint8)
    many = jnp.broadcast_to(levels, (1000, num_levels))
    x = jax.jit(uniform_dequantize, static_argnums=2)(jax.random.key(0), many, num_levels)
    chex.assert_type(x, jnp.float32)
    assert (x >= 0).all()
    assert (x < 1).all()
    chex.assert_trees_all_equal(quantize(x, num_levels), many)


@pytest.mark.parametrize("noise", [0.0, 1.0 - 2.0**-23])
def test_extreme_noise_stays_in_its_bin(monkeypatch, noise):
    monkeypatch.setattr(
        dequantization.jax.random, "uniform", lambda key, shape, dtype: jnp.full(shape, noise)
    )
    levels = jnp.arange(256).astype(jnp.uint8)
    x = uniform_dequantize(jax.random.key(0), levels, 256)
    assert (x < 1).all()
    chex.assert_trees_all_equal(quantize(x, 256), levels)


def test_noise_is_uniform_in_the_bin():
    levels = jnp.full(20_000, 3, jnp.uint8)
    noise = np.asarray(uniform_dequantize(jax.random.key(1), levels, 8) * 8 - 3)
    np.testing.assert_allclose(noise.mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(noise.var(), 1 / 12, atol=0.003)


def test_quantize_clips():
    got = quantize(jnp.array([-1.0, 0.0, 0.999, 1.0, 5.0]), 4)
    chex.assert_trees_all_equal(got, np.array([0, 0, 3, 3, 3], np.uint8))


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_a_uniform_density_costs_all_bits(num_levels):
    got = dequantized_bits_per_dim(jnp.zeros(3), 64, num_levels)
    chex.assert_trees_all_close(got, np.full(3, np.log2(num_levels)), rtol=1e-6)


def test_a_density_that_is_constant_in_each_bin_gives_the_entropy_exactly():
    probs = np.array([0.5, 0.25, 0.125, 0.125])
    levels = np.array([[0], [1], [2], [3]])
    log_density = jnp.log(jnp.asarray(probs[levels[:, 0]] * 4))  # mass over width 1/4
    got = dequantized_bits_per_dim(log_density, 1, 4)
    chex.assert_trees_all_close(got, np.array([1.0, 2.0, 3.0, 3.0]), rtol=1e-6)
