"""What the loop does besides stepping: stops on NaN, stops early, keeps the best."""

import dataclasses
from typing import Any

import chex
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.data.config import Data
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.model import Family, create_state, gradient_update
from gm_jax.optimizer import Optimizer
from gm_jax.training.checkpoint import Checkpoints
from gm_jax.training.loop import NonFiniteError
from gm_jax.training.records import read_records


@dataclasses.dataclass(frozen=True)
class Counter(Family):
    """A model whose figures are a known function of the step."""

    nan_at: int = -1
    turn_at: int = 10**9
    optimizer: Optimizer = Optimizer(name="sgd", b1=0.0)

    def init(self, rngs, spec):
        return create_state(rngs, spec, {"w": jnp.zeros(())}, self.optimizer)

    def update(self, state, batch, rngs):
        def loss_fn(params: Any):
            loss = jnp.where(state.step + 1 == self.nan_at, jnp.nan, params["w"])
            return loss, ({}, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state, batch, rngs):
        figure = jnp.abs(state.step - self.turn_at).astype(jnp.float32)
        return {"loss": jnp.broadcast_to(figure, batch["image"].shape[:1])}


def experiment(model, **training):
    settings = {"num_steps": 40, "log_every": 5, "eval_every": 5, "checkpoint_every": 5}
    return Experiment(
        data=Data(batch_size=4, limit=10), model=model, training=Training(**(settings | training))
    )


def test_nan_stops_at_its_step_and_the_last_good_checkpoint_is_kept(tmp_path):
    broken = experiment(Counter(nan_at=13))
    with pytest.raises(NonFiniteError, match=r"step 13 gave .*loss = nan.*step 10 in") as caught:
        gm_jax.fit(broken, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert gm_jax.open(tmp_path / "run", step="latest").step == 10
    last = read_records(tmp_path / "run" / "metrics.jsonl")[-1]
    assert last["step"] == 13
    # Trained again it says the same again: nothing was lost, nothing was hidden.
    with pytest.raises(NonFiniteError, match="step 13"):
        gm_jax.fit(broken, tmp_path / "run")


def test_early_stopping_keeps_the_best_also_when_resumed(tmp_path):
    patient = experiment(Counter(turn_at=15), patience=2)
    run = gm_jax.fit(patient, tmp_path / "run")
    assert run.step == 25  # 15 is best, 20 and 25 are worse
    with Checkpoints(tmp_path / "run" / "checkpoints", read_only=True) as checkpoints:
        assert {15, 25} <= set(checkpoints.steps())
        assert len(checkpoints.steps()) <= 3  # Orbax drops the one before the last when it saves
        assert checkpoints.best() == 15
    assert gm_jax.open(tmp_path / "run", step="best").step == 15
    assert gm_jax.fit(patient, tmp_path / "run").step == 25
    # Stopped in between, it ends where the straight run ended.
    gm_jax.fit(experiment(Counter(turn_at=15), patience=2, num_steps=20), tmp_path / "parts")
    assert gm_jax.fit(patient, tmp_path / "parts").step == 25


def test_the_best_may_be_the_largest(tmp_path):
    largest = experiment(Counter(turn_at=20), monitor_mode="max", num_steps=30)
    gm_jax.fit(largest, tmp_path / "run")
    assert gm_jax.open(tmp_path / "run", step="best").step == 5


def test_an_unknown_monitor_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(UserError, match="monitor is los, but the model reports loss"):
        gm_jax.fit(experiment(Counter(), monitor="los"), tmp_path / "run")
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_the_step_compiles_once(tmp_path):
    chex.clear_trace_counter()

    @dataclasses.dataclass(frozen=True)
    class Traced(Counter):
        def update(self, state, batch, rngs):
            return _traced_update(self, state, batch, rngs)

    @chex.assert_max_traces(n=1)
    def _traced_update(model, state, batch, rngs):
        return Counter.update(model, state, batch, rngs)

    gm_jax.fit(experiment(Traced(), eval_every=0, checkpoint_every=0), tmp_path / "run")


def test_ragged_batches_are_masked(tmp_path):
    """10 examples in evaluation batches of 4: the mean is over 10."""

    @dataclasses.dataclass(frozen=True)
    class Indexed(Counter):
        def evaluate(self, state, batch, rngs):
            return {"loss": batch["index"].astype(jnp.float32)}

    run = gm_jax.fit(
        experiment(Indexed(), num_steps=5).replace(**{"evaluation.batch_size": 4}), tmp_path / "run"
    )
    figure = run.evaluate("train")["loss"]
    assert figure.n == 10
    np.testing.assert_allclose(figure.value, 4.5)


def test_saved_states_survive_donation(tmp_path):
    """Each checkpoint holds its own step although the buffers are donated right after."""
    many = experiment(Counter(), keep_latest=8, eval_every=0)
    gm_jax.fit(many, tmp_path / "run")
    for step in range(5, 45, 5):
        state = gm_jax.open(tmp_path / "run", step=step).state
        np.testing.assert_allclose(state.params["w"], -1e-3 * step, rtol=1e-5)
        assert int(state.step) == step
