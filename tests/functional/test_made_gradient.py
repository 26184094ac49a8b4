import chex
import jax
import jax.numpy as jnp

from gm_jax.functional.made_gradient import gradient_made


def cubes(x, f):
    return (f(x**2) * x).sum()


def test_it_changes_neither_values_nor_gradients_of_any_order():
    x = jnp.linspace(-1, 2, 7, dtype=jnp.float32)
    chex.assert_trees_all_equal(gradient_made(x), x)
    first = jax.grad(cubes)
    chex.assert_trees_all_close(first(x, gradient_made), 3 * x**2, atol=1e-6)
    second = jax.grad(lambda x: first(x, gradient_made).sum())
    chex.assert_trees_all_close(second(x), 6 * x, atol=1e-5)


def test_on_a_cpu_only_the_gradient_is_made_apart():
    x = jnp.ones(7)

    def has_barrier(f):
        return "optimization_barrier" in jax.jit(f).lower(x).as_text()

    assert not has_barrier(lambda x: cubes(x, gradient_made))
    assert has_barrier(jax.grad(lambda x: cubes(x, gradient_made)))
    assert not has_barrier(jax.grad(lambda x: cubes(x, lambda x: x)))
