"""Observation models: their mean is the mean of their own samples, on the scale of levels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.observation import observation

NAMES = ["bernoulli", "gaussian", "gaussian_learned", "categorical", "discretized_logistic"]
NARROW = -7.0  # log scale


def concentrated(name, num_levels):
    """Outputs [L, 1, 1, P] of a decoder that is sure of level 0, 1, ..., L - 1."""
    levels = np.arange(num_levels)
    unit, bin_middle = levels / (num_levels - 1), (levels + 0.5) / num_levels
    narrow = np.full(num_levels, NARROW)
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(unit) - np.log1p(-unit), -50, 50)
    outputs = {
        "bernoulli": logits[:, None],
        "gaussian": bin_middle[:, None],
        "gaussian_learned": np.stack([bin_middle, narrow], 1),
        "categorical": 50.0 * np.eye(num_levels),
        "discretized_logistic": np.stack([2 * unit - 1, narrow], 1),
    }[name]
    return jnp.asarray(outputs[:, None, None, :], jnp.float32)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("name", NAMES)
def test_the_mean_of_what_is_sure_of_a_level_is_that_level(name, num_levels):
    model, levels = observation(name, 1e-4), np.arange(num_levels)
    outputs = concentrated(name, num_levels)
    mean = model.mean(outputs, num_levels)[:, 0, 0, 0]
    np.testing.assert_allclose(mean, to_unit(levels, num_levels), atol=1e-6)
    np.testing.assert_array_equal(from_unit(mean, num_levels), levels)
    # A coin between two levels is not sure of a third; no scale is small beside a level of 256.
    if num_levels == 2 or (name != "bernoulli" and num_levels < 256):
        drawn = model.sample(jax.random.key(0), outputs, num_levels)[:, 0, 0, 0]
        np.testing.assert_array_equal(drawn, levels)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("bernoulli", [0.4]),
        ("gaussian", [0.4]),
        ("gaussian_learned", [0.6, -2.5]),
        ("categorical", np.cos(np.arange(17)).tolist()),
        ("discretized_logistic", [-0.1, -2.5]),
    ],
)
def test_the_mean_is_that_of_the_samples(name, params):
    num, num_levels = 20_000, 17
    model = observation(name, 0.1)
    assert model.num_params(num_levels) == len(params)
    outputs = jnp.broadcast_to(jnp.asarray(params, jnp.float32), (num, 1, 1, len(params)))
    drawn = np.asarray(to_unit(model.sample(jax.random.key(1), outputs, num_levels), num_levels))
    stderr = drawn.std() / np.sqrt(num)
    assert abs(drawn.mean() - model.mean(outputs[:1], num_levels)[0, 0, 0, 0]) < 5 * stderr
