"""Waves over levels: what they are at levels, and between them."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.functional.level_waves import level_waves
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.rng import rngs_from_seed


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_at_levels_the_shortest_wave_stands_still(num_levels):
    x = to_symmetric(jnp.arange(num_levels, dtype=jnp.uint8)[:, None], num_levels)
    waves = level_waves(x, num_levels, 2)
    chex.assert_shape(waves, (num_levels, 4))
    np.testing.assert_allclose(waves[:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(waves[:, 2], 1, atol=1e-3)
    # Half the frequency: even levels and odd ones.
    np.testing.assert_allclose(waves[:, 3], (-1.0) ** np.arange(num_levels), atol=1e-3)


def test_between_levels_they_say_how_far_the_next_is():
    spacing, num_levels = 2 / 16, 17
    x = -1 + spacing * (3 + jnp.array([0.25, 0.5, 0.75]))[:, None]
    waves = level_waves(x, num_levels, 1)
    np.testing.assert_allclose(waves[:, 0], [1, 0, -1], atol=1e-5)
    np.testing.assert_allclose(waves[:, 1], [0, -1, 0], atol=1e-5)


def test_channels_lie_side_by_side():
    x = jnp.linspace(-1, 1, 24).reshape(2, 2, 2, 3)
    both = level_waves(x, 5, 2)
    for c in range(3):
        alone = level_waves(x[..., c : c + 1], 5, 2)
        chex.assert_trees_all_equal(both[..., c::3], alone)


def test_a_ddpm_sees_them_beside_images_but_not_beside_points():
    model = DDPM(network=DenseDenoiser((8,)), num_steps=4, wave_octaves=3)
    images, points = DataSpec((2, 2, 1), 4), DataSpec((1, 1, 4), continuous=True)
    for spec, num_seen in ((images, 4 * (1 + 2 * 3)), (points, 4)):
        state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))  # noqa: B023
        kernels = {leaf.shape for leaf in jax.tree.leaves(state.params["network"])}
        assert (num_seen, 8) in kernels
        sample = jax.eval_shape(lambda s: model.sample(s, rngs_from_seed(1), 2), state)
        chex.assert_shape(sample, (2, *spec.shape))
