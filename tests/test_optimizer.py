"""The optimizer against optax and against plain NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError
from gm_jax.model import create_state, ema_rate, ema_update, gradient_update
from gm_jax.optax_rules import optax_rules
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

PARAMS = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.3, -0.1])}


def loss_fn(params):
    loss = (params["w"] ** 4).sum() / 4 + (params["b"] ** 2).sum() / 2
    return loss, ({}, {})


def run(optimizer, steps):
    state = create_state(rngs_from_seed(0), DataSpec((1, 1, 1)), PARAMS, optimizer)
    metrics = {}
    for _ in range(steps):
        state, metrics = gradient_update(state, loss_fn, optimizer)
    return state, metrics


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        (Optimizer(learning_rate=0.01), optax.adam(0.01)),
        (Optimizer(name="adamax", learning_rate=0.01), optax.adamax(0.01)),
        (Optimizer(name="sgd", learning_rate=0.01, b1=0.9), optax.sgd(0.01, 0.9)),
        (
            Optimizer(name="rmsprop", learning_rate=0.01, b1=0.0, b2=0.9),
            optax.rmsprop(0.01, decay=0.9),
        ),
        (
            Optimizer(learning_rate=0.01, weight_decay=0.1),
            optax.adamw(0.01, weight_decay=0.1, mask={"w": True, "b": False}),
        ),
    ],
)
def test_equals_the_optax_alias(optimizer, reference):
    state, _ = run(optimizer, 3)
    params, opt_state = PARAMS, reference.init(PARAMS)
    for _ in range(3):
        grads = jax.grad(lambda p: loss_fn(p)[0])(params)
        updates, opt_state = reference.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    chex.assert_trees_all_close(state.params, params, rtol=1e-6)
    assert int(state.step) == 3


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        (Optimizer(name="adamw", learning_rate=0.01),
         optax.adamw(0.01, mask={"w": True, "b": False})),
        (Optimizer(name="lion", learning_rate=0.01, weight_decay=0.1, b1=0.8),
         optax.lion(0.01, 0.8, weight_decay=0.1, mask={"w": True, "b": False})),
        (Optimizer(name="muon", learning_rate=0.01, b1=0.8), optax.contrib.muon(0.01, beta=0.8)),
        (Optimizer(name="lamb", learning_rate=0.01, schedule="linear", decay_steps=9),
         optax.lamb(optax.linear_schedule(0.01, 0.0, 9))),
        (Optimizer(rule=optax.sgd, learning_rate=0.01), optax.sgd(0.01)),
    ],
    ids=["adamw", "lion", "muon", "lamb", "a function"],
)  # fmt: skip
def test_optimizers_of_optax_by_name(optimizer, reference):
    test_equals_the_optax_alias(optimizer, reference)


def test_all_of_optax_that_moves_parameters_by_gradients_is_known():
    assert {"adamw", "lion", "muon", "lamb", "adan", "adafactor", "prodigy"} <= {*optax_rules()}
    assert not {"dpsgd", "schedule_free_adamw", "scale_by_rprop"} & {*optax_rules()}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Optimizer(name="loin"), r"Optimizer.name must be one of .*Did you mean lion\?"),
        (lambda: Optimizer(name="lion", eps=1e-3), "Optimizer.eps has no part in optax.lion"),
        (lambda: Optimizer(name="lbfgs"), r"Optimizer.name lbfgs makes no optimizer \("),
        (lambda: Optimizer(rule=optax.sgd, b1=0.5), "b1 has no part beside Optimizer.rule"),
        (lambda: Optimizer(rule=optax.sgd, name="lion"), "name has no part beside Optimizer.rule"),
        (lambda: Optimizer(rule=len), r"Optimizer.rule len makes no optimizer \(TypeError: object"),
        (lambda: Optimizer(rule="sgd"), "Optimizer.rule must be a function or None, not 'sgd'"),
    ],
)  # fmt: skip
def test_what_makes_no_optimizer(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_clipping_scales_the_whole_gradient():
    state, metrics = run(Optimizer(name="sgd", learning_rate=1.0, b1=0.0, clip_norm=0.5), 1)
    grads = {k: np.asarray(v) ** 3 if k == "w" else np.asarray(v) for k, v in PARAMS.items()}
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    np.testing.assert_allclose(metrics["grad_norm"], norm, rtol=1e-6)
    for name in PARAMS:
        np.testing.assert_allclose(
            state.params[name], PARAMS[name] - grads[name] * 0.5 / norm, rtol=1e-5
        )


def test_accumulation_moves_every_nth_step_and_so_does_the_average():
    optimizer = Optimizer(name="sgd", learning_rate=0.1, b1=0.0, accumulate_steps=2, ema_decay=0.5)
    one, _ = run(optimizer, 1)
    chex.assert_trees_all_equal(one.params, PARAMS)
    chex.assert_trees_all_equal(one.ema_params, PARAMS)
    two, _ = run(optimizer, 2)
    expected, _ = run(Optimizer(name="sgd", learning_rate=0.1, b1=0.0, ema_decay=0.5), 1)
    chex.assert_trees_all_close(two.params, expected.params, rtol=1e-6)
    chex.assert_trees_all_close(two.ema_params, expected.ema_params, rtol=1e-6)


def test_schedules():
    cosine = Optimizer(
        learning_rate=2.0, schedule="cosine", warmup_steps=10, decay_steps=110, final_fraction=0.1
    ).learning_rate_at()
    np.testing.assert_allclose(
        [cosine(s) for s in (0, 5, 10, 60, 110, 500)], [0, 1, 2, 1.1, 0.2, 0.2], rtol=1e-5
    )
    linear = Optimizer(learning_rate=2.0, schedule="linear", decay_steps=4).learning_rate_at()
    np.testing.assert_allclose([linear(s) for s in (0, 1, 4, 9)], [2, 1.5, 0, 0], atol=1e-6)


def test_an_average_forgets_its_start_soon():
    """With the warm-up the start has no share after 50 updates; without, it has nearly all."""
    far = {name: jnp.full_like(value, 1e6) for name, value in PARAMS.items()}
    for warmup, share in [(True, 0.0), (False, 0.999**50)]:
        optimizer = Optimizer(learning_rate=1e-9, ema_decay=0.999, ema_warmup=warmup)
        average = far
        for step in range(50):
            average = ema_update(average, PARAMS, None, optimizer, jnp.asarray(step))
        left = (average["w"] - PARAMS["w"]) / (far["w"] - PARAMS["w"])
        np.testing.assert_allclose(left, share, atol=1e-4)


def test_the_warm_up_of_an_average_ends_at_its_decay():
    rates = [
        float(ema_rate(Optimizer(ema_decay=0.99), jnp.asarray(t))) for t in (0, 90, 890, 10**6)
    ]
    np.testing.assert_allclose(rates, [0.9, 0.09, 0.01, 0.01], rtol=1e-5)
    slow = Optimizer(ema_decay=0.99, accumulate_steps=10)
    np.testing.assert_allclose(float(ema_rate(slow, jnp.asarray(909))), 0.09, rtol=1e-5)
