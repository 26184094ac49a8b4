"""The network against torch-fidelity's in PyTorch, with the same random weights.

What PyTorch computes is kept in tests/fixtures/inception, with the script that made it.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.evaluation.inception.features import InceptionFeatures, network_input
from gm_jax.evaluation.inception.weights import InceptionWeights, from_torch
from gm_jax.nets.inception import InceptionOutputs, InceptionV3, _smoothed


@pytest.fixture(scope="module")
def weights(arrays):
    return InceptionWeights(from_torch(arrays), "01234567")


@pytest.fixture(scope="module")
def expected(fixtures):
    """By side: what torch-fidelity computes, by the fields of `InceptionOutputs`."""

    def load(side):
        with np.load(fixtures / f"expected_{side}.npz") as kept:
            return {n if n.startswith("l") else f"features_{n}": kept[n] for n in kept.files}

    return load


@pytest.fixture(scope="module")
def small(weights, formulas):
    """Outputs for two images of 107x107."""
    images = network_input(formulas.random_images(2, 107, 107), "tf1", side=107)
    return jax.device_get(jax.jit(InceptionV3().apply)(weights.variables, images))


def assert_as_pytorch(got, expected):
    """Within 1e-5 of the scale; the scale says that the random network does anything at all."""
    assert expected.std() > 0.3
    chex.assert_trees_all_close(got, expected, rtol=1e-5, atol=1e-4 * expected.std())
    relative = np.linalg.norm(got - expected) / np.linalg.norm(expected)
    assert relative < 1e-5


@pytest.mark.parametrize("field", InceptionOutputs._fields)
def test_blocks_and_logits_are_those_of_pytorch(field, small, expected):
    assert_as_pytorch(getattr(small, field), expected(107)[field])


def test_the_biases_of_the_classes_count_in_logits_only(small, weights):
    bias = np.asarray(weights.variables["params"]["fc"]["bias"])
    difference = small.logits - small.logits_unbiased
    chex.assert_trees_all_close(difference, np.tile(bias, (2, 1)), atol=1e-5)
    assert np.abs(bias).max() > 0.1


@pytest.mark.slow
def test_features_of_images_are_those_of_torch_fidelity(weights, formulas, expected):
    """From levels on: resizing to 299x299, scaling, network, and a softmax over the classes."""
    images = formulas.random_images(1, 64, 48)
    features, probabilities = InceptionFeatures(weights, DataSpec((64, 48, 3)))(images)
    kept = expected(299)
    assert_as_pytorch(features, kept["features_2048"])
    chex.assert_trees_all_close(
        probabilities, np.asarray(jax.nn.softmax(kept["logits_unbiased"])), rtol=1e-3, atol=1e-7
    )


@pytest.mark.slow
def test_features_do_not_depend_on_the_batch(weights, formulas):
    images = formulas.random_images(3, 20, 20)
    spec = DataSpec((20, 20, 3))
    together = InceptionFeatures(weights, spec, batch_size=4)(images).features
    singly = InceptionFeatures(weights, spec, batch_size=1)(images).features
    chex.assert_trees_all_close(together, singly, rtol=1e-4, atol=1e-5 * together.std())


def test_averages_leave_out_the_padding():
    x = jnp.ones((1, 4, 4, 1))
    chex.assert_trees_all_close(_smoothed(x), x)
