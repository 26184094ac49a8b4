import jax
import jax.numpy as jnp

from gm_jax.functional.dtypes import full_precision


def test_products_are_traced_in_full_precision_inside_only():
    def product(x):
        return x @ x

    x = jnp.ones((2, 2))
    assert "HIGHEST" not in jax.jit(product).lower(x).as_text()
    with full_precision():
        assert "HIGHEST" in jax.jit(product).lower(x).as_text()
