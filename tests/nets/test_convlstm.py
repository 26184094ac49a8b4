"""The ConvLSTM against loops in NumPy over places, channels and time."""

import chex
import jax
import numpy as np
import pytest

from gm_jax.nets.convlstm import ConvLSTMLayer, StackedConvLSTM

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2)).astype(np.float32)  # [B, T, H, W, C]


def random_variables(module, x):
    variables = module.init(jax.random.key(0), x)
    leaves, treedef = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [0.3 * jax.random.normal(k, v.shape) for k, v in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(treedef, noise)


def convolve(x, kernel):
    """[H, W, C] with [3, 3, C, F], edges filled with 0."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    out = np.zeros((height, width, kernel.shape[-1]))
    for i in range(height):
        for j in range(width):
            for k in range(3):
                for m in range(3):
                    out[i, j] += padded[i + k, j + m] @ kernel[k, m]
    return out


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("peepholes", [False, True])
def test_the_layer_is_the_papers_equations(peepholes):
    module = ConvLSTMLayer(features=3, peepholes=peepholes)
    variables = random_variables(module, X)
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), variables["params"])
    peep = p["peepholes"][:, 0] if peepholes else np.zeros((3, 4, 5, 3))
    expected = np.zeros((2, 3, 4, 5, 3))
    for b in range(2):
        h = c = np.zeros((4, 5, 3))
        for t in range(3):
            gates = convolve(X[b, t].astype(np.float64), p["input"]["kernel"])
            gates = gates + p["input"]["bias"] + convolve(h, p["recurrent"])
            i = sigmoid(gates[..., :3] + peep[0] * c)
            f = sigmoid(gates[..., 3:6] + peep[1] * c)
            c = f * c + i * np.tanh(gates[..., 9:])
            o = sigmoid(gates[..., 6:9] + peep[2] * c)
            h = o * np.tanh(c)
            expected[b, t] = h
    np.testing.assert_allclose(module.apply(variables, X), expected, atol=1e-5)


def test_scan_and_unrolled_agree_in_values_and_gradients():
    rolled = ConvLSTMLayer(2, peepholes=True)
    unrolled = rolled.clone(unroll=True)
    variables = random_variables(rolled, X)

    def value_and_gradients(module):
        @jax.jit
        def run(variables, x):
            return jax.value_and_grad(lambda v, x: (module.apply(v, x) ** 2).sum(), (0, 1))(
                variables, x
            )

        return run(variables, X)

    chex.assert_trees_all_close(
        value_and_gradients(rolled), value_and_gradients(unrolled), atol=1e-5, rtol=1e-4
    )


def test_no_frame_sees_a_later_one():
    module = StackedConvLSTM((3, 2))
    variables = random_variables(module, X)
    changed = X.copy()
    changed[:, 2] += 1.0
    before, after = module.apply(variables, X), module.apply(variables, changed)
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (before[:, 2] != after[:, 2]).any()


def test_it_forgets_little_at_first():
    bias = ConvLSTMLayer(features=3).init(jax.random.key(0), X)["params"]["input"]["bias"]
    np.testing.assert_array_equal(bias, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])


def test_checkpoints_know_the_layers_by_these_names():
    params = jax.eval_shape(StackedConvLSTM((3, 2)).init, jax.random.key(0), X)["params"]
    assert set(params) == {"ConvLSTM_0", "ConvLSTM_1"}
    assert set(params["ConvLSTM_0"]) == {"input", "recurrent"}
