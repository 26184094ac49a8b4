import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from gm_jax.functional.by_rows import by_rows

SHAPES = [(3, 5, 4, 8), (2, 7, 16), (2, 3, 3, 40), (6, 4), (5,), (0, 3, 3, 2)]


@pytest.mark.parametrize("function", [nn.elu, nn.silu])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_function(function, shape):
    x = jax.random.normal(jax.random.key(0), shape)
    weights = jax.random.normal(jax.random.key(1), shape)

    def weighted(function):
        return jax.jit(jax.value_and_grad(lambda x: (weights * function(x)).sum()))

    found, expected = weighted(by_rows(function))(x), weighted(function)(x)
    chex.assert_trees_all_close(found, expected, rtol=1e-6, atol=1e-5)


def test_higher_derivatives_and_forward_mode():
    x, tangent = jax.random.normal(jax.random.key(0), (2, 2, 3, 4))
    rows = by_rows(nn.silu)
    chex.assert_trees_all_close(
        jax.jvp(rows, (x,), (tangent,)), jax.jvp(nn.silu, (x,), (tangent,)), rtol=1e-6
    )

    def twice(function):
        first = jax.grad(lambda x: function(x).sum())
        return jax.grad(lambda x: (tangent * first(x)).sum())(x)

    chex.assert_trees_all_close(twice(rows), twice(nn.silu), rtol=1e-5, atol=1e-6)
    mapped = jax.vmap(rows)(x[None].repeat(2, 0))
    chex.assert_trees_all_close(mapped[1], nn.silu(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "rows"), [((2, 3, 3, 8), True), ((2, 3, 3, 24), False), ((9, 8), False)]
)
def test_rows_are_made_for_few_channels_on_a_cpu_only(shape, rows):
    traced = jax.jit(by_rows(nn.silu)).trace(jnp.zeros(shape))
    barriers = {
        platform: "optimization_barrier" in traced.lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda")
    }
    assert barriers == {"cpu": rows, "cuda": False}
