"""The heads of forecasts: their equations, and how they begin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.nets.forecast_head import ForecastHead

RNG = np.random.default_rng(0)
H = jnp.asarray(RNG.normal(size=(2, 8, 9, 4)), jnp.float32)
LAST = jnp.asarray(RNG.random((2, 8, 9, 1)), jnp.float32)
TAU = jnp.array([0.3, 2.0])


def started(kind, flow_steps=1):
    head = ForecastHead(1, kind, flow_steps, jnp.float32)
    return head, head.init(jax.random.key(0), H, LAST, TAU)


def with_bias(variables, *values):
    """The same outputs everywhere."""
    return jax.tree.map(lambda p: jnp.array(values) if p.ndim == 1 else p, variables)


def test_at_first_it_is_the_last_frame_to_the_bit_or_nearly_or_grey():
    for kind, far in (("persistence", 0.0), ("blend", 0.03), ("frame", None)):
        head, variables = started(kind, flow_steps=2)
        y = head.apply(variables, H, LAST, 1e6 * TAU)
        wanted = LAST if far is not None else jnp.full_like(LAST, 0.5)
        np.testing.assert_allclose(y, wanted, rtol=0, atol=far or 0.0)


def test_it_moves_by_tau_v_and_adds_what_grows_with_time():
    head, variables = started("persistence")
    fastest = 0.5 * 8
    moved = head.apply(with_bias(variables, 0.2, fastest * np.arctanh(0.25), 0.0), H, LAST, TAU)
    down = 0.25 * fastest * TAU  # 0.3 and 2 rows
    np.testing.assert_allclose(moved[1, :6], LAST[1, 2:] + 0.2 * (1 - np.exp(-2.0)), atol=1e-5)
    between = (1 - down[0]) * LAST[0, :-1] + down[0] * LAST[0, 1:]
    np.testing.assert_allclose(moved[0, :-1], between + 0.2 * (1 - np.exp(-0.3)), atol=1e-5)


def test_no_velocity_is_beyond_half_the_image():
    head, variables = started("persistence")
    y = head.apply(with_bias(variables, 0.0, 1e4, 0.0), H, LAST, jnp.array([0.5, 1.0]))
    np.testing.assert_allclose(y[0, :-2], LAST[0, 2:], atol=1e-5)
    np.testing.assert_allclose(y[1, :-4], LAST[1, 4:], atol=1e-5)


@pytest.mark.parametrize("flow_steps", [1, 3])
def test_the_first_gradient_reaches_velocity_and_residual(flow_steps):
    head, variables = started("persistence", flow_steps)
    loss = lambda v: ((head.apply(v, H, LAST, TAU) - 0.5) ** 2).sum()  # noqa: E731
    kernel = jax.grad(loss)(variables)["params"]["Conv_0"]["kernel"]
    size = np.abs(kernel).reshape(-1, 3).max(0)  # residual, rows, columns
    assert (size > 1e-3).all()
