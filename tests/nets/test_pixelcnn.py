"""Fresh networks of PixelCNN keep their signal, whatever is masked; dropout and bfloat16."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.nets.causal import MaskedConv
from gm_jax.nets.pixelcnn import Details, VerticalStack
from gm_jax.rng import rngs_from_seed


@pytest.mark.parametrize(("residual", "least", "most"), [(True, 0.3, 3.0), (False, 0.0, 0.02)])
def test_what_the_rows_above_say_does_not_fade(residual, least, most):
    details = Details(True, residual, 0.0, "lecun_normal", jnp.float32)
    stack = VerticalStack(32, 7, 3, (1,) * 7, details)
    image = jax.random.normal(jax.random.key(0), (4, 16, 16, 1))
    above, _ = stack.init_with_output(jax.random.key(1), image, None)
    assert least < float(above[-1].std()) < most


@pytest.mark.parametrize("mask", ["A", "B"])
def test_masked_kernels_start_by_what_they_see(mask):
    conv = MaskedConv(256, (7, 7), mask)
    x = jax.random.normal(jax.random.key(0), (2, 20, 20, 8))
    y, _ = conv.init_with_output(jax.random.key(1), x)
    inside = np.asarray(y)[:, 6:, 6:-6]  # away from the edges, where zeros are seen
    np.testing.assert_allclose(inside.std(), 1.0, atol=0.05)
    old = MaskedConv(256, (7, 7), mask, visible_fan_in=False)
    y, _ = old.init_with_output(jax.random.key(1), x)
    assert np.asarray(y)[:, 6:, 6:-6].std() < 0.75


SPEC = DataSpec((5, 5, 1), num_levels=4)


@pytest.mark.parametrize("gated", [pytest.param(True, marks=pytest.mark.slow), False])
def test_dropout_is_for_training_alone(gated):
    model = PixelCNN(gated=gated, channels=8, num_blocks=2, first_kernel=3, dropout=0.5)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
    batch = {"image": np.random.default_rng(0).integers(0, 4, (6, 5, 5, 1), np.uint8)}
    update = jax.jit(model.update)
    losses = [float(update(state, batch, rngs_from_seed(seed))[1]["loss"]) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    evaluate = jax.jit(model.evaluate)
    one, two = (evaluate(state, batch, rngs_from_seed(seed)) for seed in (1, 2))
    chex.assert_trees_all_equal(one, two)


@pytest.mark.parametrize("gated", [pytest.param(True, marks=pytest.mark.slow), False])
def test_bfloat16_is_near_and_its_logits_are_float32(gated):
    batch = {"image": np.random.default_rng(0).integers(0, 4, (6, 5, 5, 1), np.uint8)}
    nats = {}
    for dtype in ("float32", "bfloat16"):
        model = PixelCNN(gated=gated, channels=8, num_blocks=2, first_kernel=3, dtype=dtype)
        state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
        chex.assert_trees_all_equal_dtypes(state.params, jax.tree.map(jnp.float32, state.params))
        nats[dtype] = jax.jit(model.log_prob)(state, batch, rngs_from_seed(0))
        assert nats[dtype].dtype == jnp.float32
        drawn = jax.jit(model.sample, static_argnums=2)(state, rngs_from_seed(0), 2)
        assert drawn.dtype == jnp.uint8
    np.testing.assert_allclose(nats["bfloat16"], nats["float32"], rtol=0.02)
