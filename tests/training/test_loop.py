"""What the loop does besides stepping: stops on NaN, stops early, keeps the best."""

import dataclasses
import os
import signal
from typing import Any

import chex
import jax
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
from gm_jax.training.pending import NonFiniteError, Pending
from gm_jax.training.records import read_records
from gm_jax.training.step import dispatches


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


@dataclasses.dataclass(frozen=True)
class Noisy(Counter):
    def update(self, state, batch, rngs):
        state, metrics = super().update(state, batch, rngs)
        return state, metrics | {"noise": jax.random.normal(rngs("noise"))}


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
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    assert checkpoints.steps() == [15, 20, 25]  # the best, the last, and one to go back to
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


@chex.assert_max_traces(n=1)
def _traced_update(model, state, batch, rngs):
    return Counter.update(model, state, batch, rngs)


@dataclasses.dataclass(frozen=True)
class Traced(Counter):
    def update(self, state, batch, rngs):
        return _traced_update(self, state, batch, rngs)


def test_the_step_compiles_once(tmp_path):
    chex.clear_trace_counter()
    gm_jax.fit(experiment(Traced(), eval_every=0, checkpoint_every=0), tmp_path / "run")


@pytest.mark.parametrize("budget", [64, 0], ids=["resident", "streamed"])
def test_nothing_hidden_crosses_between_host_and_device(tmp_path, monkeypatch, budget):
    """A step is given what lies on the device; what it gave comes back where a line is written.

    On a CPU no guard sees what comes back, so that is counted.
    """
    step, fetched_at = [0], []
    array = type(jnp.zeros(()))

    def counting(plain):
        def counted(self, *args, **kwargs):
            fetched_at.append(step[0])
            return plain(self, *args, **kwargs)

        return counted

    for name in ("__array__", "__float__", "__int__", "__bool__", "item", "tolist"):
        monkeypatch.setattr(array, name, counting(getattr(array, name)))

    def guarded(*args):
        for batches, size in dispatches(*args):
            first = not step[0]  # it is compiled, and the program's constants go over
            with jax.transfer_guard_host_to_device("allow" if first else "disallow"):
                yield batches, size
            step[0] += size

    monkeypatch.setattr("gm_jax.training.loop.dispatches", guarded)
    quiet = experiment(Counter(), num_steps=20, eval_every=0, checkpoint_every=0, sample_every=0)
    gm_jax.fit(quiet.replace(**{"data.device_budget_mib": budget}), tmp_path / "run")
    steps = [s for s in fetched_at if s]
    assert set(steps) <= {4, 9, 14, 19, 20}, steps  # one less: counted after the line is written
    assert {4, 9, 14, 19} <= set(steps)


@dataclasses.dataclass(frozen=True)
class Indexed(Counter):
    def evaluate(self, state, batch, rngs):
        return {"loss": batch["index"].astype(jnp.float32)}


def test_ragged_batches_are_masked(tmp_path):
    """10 examples in evaluation batches of 4: the mean is over 10."""
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


def record(folder):
    """The lines of a run without "time", which alone may differ."""
    rows = read_records(folder / "metrics.jsonl")
    return [{name: v for name, v in row.items() if name != "time"} for row in rows]


@pytest.mark.parametrize("dispatch", [1, 3])
def test_a_run_stopped_between_two_lines_leaves_the_record_of_a_straight_one(
    dispatch, tmp_path, monkeypatch
):
    noisy = experiment(
        Noisy(turn_at=20), log_every=10, eval_every=15, checkpoint_every=25, patience=9
    ).replace(**{"training.steps_per_dispatch": dispatch})
    gm_jax.fit(noisy, tmp_path / "straight")
    add = Pending.add
    signals = {4: signal.SIGINT, 13: signal.SIGTERM, 19: signal.SIGINT, 30: signal.SIGTERM}

    def add_and_interrupt(pending, step, metrics):
        add(pending, step, metrics)
        due = [at for at in signals if at <= step]
        if due:
            os.kill(os.getpid(), signals.pop(due[0]))

    monkeypatch.setattr(Pending, "add", add_and_interrupt)
    stopped = []
    while signals:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            gm_jax.fit(noisy, tmp_path / "parts")
        stopped.append(Checkpoints(tmp_path / "parts" / "checkpoints").latest())
    assert len(stopped) == 4
    assert stopped[0] % 10  # between two lines
    gm_jax.fit(noisy, tmp_path / "parts")
    assert record(tmp_path / "parts") == record(tmp_path / "straight")
    ends = [row["step"] for row in record(tmp_path / "parts") if row["phase"] == "train"]
    assert ends == [10, 15, 20, 25, 30, 40]


def test_what_is_not_finite_is_found_before_a_stop_saves_it(tmp_path, monkeypatch):
    broken = experiment(Counter(nan_at=13), log_every=20, eval_every=0, checkpoint_every=0)
    add = Pending.add

    def add_and_interrupt(pending, step, metrics):
        add(pending, step, metrics)
        if step == 14:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Pending, "add", add_and_interrupt)
    with pytest.raises(NonFiniteError, match=r"step 13 gave .*no checkpoint had been saved"):
        gm_jax.fit(broken, tmp_path / "run")
    assert Checkpoints(tmp_path / "run" / "checkpoints").steps() == []


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path, capsys):
    counted = experiment(Counter(), num_steps=20, eval_every=0)
    gm_jax.fit(counted, tmp_path / "straight")
    gm_jax.fit(counted, tmp_path / "run")
    data = next((tmp_path / "run/checkpoints/20/default/d").iterdir())
    data.write_bytes(bytes(byte ^ 0x5A for byte in data.read_bytes()))
    with pytest.raises(UserError, match=r"checkpoints/20 can't be read; give step 15, which"):
        gm_jax.open(tmp_path / "run")
    assert gm_jax.open(tmp_path / "run", step=15).step == 15
    capsys.readouterr()
    run = gm_jax.fit(counted, tmp_path / "run")
    lines = capsys.readouterr().out.splitlines()
    assert "checkpoints/20 can't be read" in lines[0]
    assert "going on from step 15" in lines[0]
    assert not any("can't be read" in line for line in lines[1:])
    chex.assert_trees_all_equal(run.state.params, gm_jax.open(tmp_path / "straight").state.params)
    assert record(tmp_path / "run") == record(tmp_path / "straight")
    assert gm_jax.open(tmp_path / "run").step == 20
    gm_jax.fit(counted, tmp_path / "run")
    assert "can't be read" not in capsys.readouterr().out
