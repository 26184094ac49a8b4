import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.metrics.flattening import flat


@pytest.mark.parametrize(
    "shape", [(3,), (3, 5), (3, 4, 4, 1), (2, 3, 4, 4, 3), (2, 4, 9), (0, 4, 1)]
)
def test_one_row_an_example(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    rows = flat(jnp.asarray(x))
    chex.assert_shape(rows, (shape[0], int(np.prod(shape[1:]))))
    chex.assert_trees_all_equal(np.asarray(rows), x.reshape(rows.shape))


def test_gradients_of_both_modes_and_vmap():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4, 1)), jnp.float32)

    def loss(x):
        return flat(x**2).sum(1).mean()

    chex.assert_trees_all_close(jax.jit(jax.grad(loss))(x), 2 * x / 3, rtol=1e-6)
    chex.assert_numerical_grads(loss, (x,), order=1)
    _, slope = jax.jvp(loss, (x,), (x,))
    np.testing.assert_allclose(slope, 2 * loss(x), rtol=1e-5)
    sums = jax.vmap(lambda one: flat(one[None]).sum(1)[0])(x)
    np.testing.assert_allclose(sums, x.sum((1, 2, 3)), rtol=1e-5)


def test_a_cpu_sums_rows_and_no_channels():
    x = jnp.zeros((8, 6, 6, 1))
    program = jax.jit(lambda x: flat(jnp.exp(x)).sum(1)).lower(x).compile().as_text()
    summed = [line for line in program.splitlines() if " reduce(" in line]
    assert summed
    assert all("dimensions={1}," in line for line in summed)
