"""A run that was killed goes on as if nothing had happened, on one device and on four."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

import gm_jax
from gm_jax.errors import UserError
from gm_jax.experiment import Training
from gm_jax.experiment_file import load
from gm_jax.training import loop
from gm_jax.training.records import read_records

FAMILIES = ["digits/ae", "digits/vae"]


def miniature(name, num_steps=200, **training):
    """A small experiment with every part of the loop switched on."""
    experiment = load(name).quick()
    settings = {"log_every": 50, "eval_every": 100, "checkpoint_every": 50, "sample_every": 0}
    return experiment.replace(
        training=Training(num_steps=num_steps, **(settings | training)),
        **{"data.batch_size": 16, "data.limit": 100, "model.optimizer.ema_decay": 0.9},
    )


def leaves(folder, step="latest"):
    state = gm_jax.open(folder, step=step).state
    return jax.tree.map(np.asarray, state.replace(key=jax.random.key_data(state.key)))


def losses(folder):
    rows = read_records(Path(folder) / "metrics.jsonl")
    return [row["loss"] for row in rows if row["phase"] == "train"]


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        pytest.param(d, name, marks=() if (d, name) == (4, "digits/vae") else pytest.mark.slow)
        for d in (1, 4)
        for name in FAMILIES
    ],
)
def test_200_steps_are_100_and_kill_and_100(name, devices, tmp_path):
    experiment = miniature(name).replace(**{"sharding.data": devices})
    gm_jax.fit(experiment, tmp_path / "straight")
    # A child that kills itself without warning once the checkpoint of step 100 is whole.
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_resume import miniature
import gm_jax, gm_jax.training.loop as loop
experiment = miniature({name!r}).replace(**{{"sharding.data": {devices}}})
after = loop._Loop._after
def after_or_die(self, step, state, stopping):
    if step == 150:
        self.saver.wait()
        os.kill(os.getpid(), signal.SIGKILL)
    after(self, step, state, stopping)
loop._Loop._after = after_or_die
gm_jax.fit(experiment, {str(tmp_path / "killed")!r})
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert gm_jax.open(tmp_path / "killed", step="latest").step == 100
    gm_jax.fit(experiment, tmp_path / "killed")
    chex.assert_trees_all_equal(leaves(tmp_path / "killed"), leaves(tmp_path / "straight"))
    assert losses(tmp_path / "killed") == losses(tmp_path / "straight")


@pytest.mark.parametrize("name", [pytest.param("digits/ae", marks=pytest.mark.slow), "digits/vae"])
def test_one_and_four_devices_agree(name, tmp_path):
    for devices in (1, 4):
        experiment = miniature(name, num_steps=50, log_every=5, checkpoint_every=0, eval_every=0)
        gm_jax.fit(experiment.replace(**{"sharding.data": devices}), tmp_path / str(devices))
    one, four = losses(tmp_path / "1"), losses(tmp_path / "4")
    assert len(one) == 10
    np.testing.assert_allclose(four, one, rtol=1e-5)


@pytest.mark.slow
def test_several_steps_a_dispatch_and_streaming_change_nothing(tmp_path):
    experiment = miniature("digits/vae", num_steps=60)
    gm_jax.fit(experiment, tmp_path / "single")
    gm_jax.fit(experiment.replace(**{"training.steps_per_dispatch": 7}), tmp_path / "several")
    gm_jax.fit(experiment.replace(**{"data.device_budget_mib": 0}), tmp_path / "streamed")
    single = leaves(tmp_path / "single")
    chex.assert_trees_all_equal(leaves(tmp_path / "streamed"), single)
    chex.assert_trees_all_close(leaves(tmp_path / "several"), single, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_the_same_command_resumes(signum, tmp_path):
    command = [
        *(sys.executable, "-m", "gm_jax.cli", "train", "digits/vae", "--run", "run"),
        *("--training.num-steps", "100000", "--training.log-every", "10"),
        *("--training.eval-every", "0", "--training.sample-every", "0"),
    ]
    environment = os.environ | {"XLA_FLAGS": ""}
    child = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    deadline = time.monotonic() + 120
    metrics = tmp_path / "run" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.1)
    child.send_signal(signum)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 128 + signum, err
    assert "the same command resumes" in out
    saved = gm_jax.open(tmp_path / "run", step="latest").step
    assert saved > 0
    shorter = [*command[:-1], "0", "--training.num-steps", str(saved + 5)]
    again = subprocess.run(
        shorter, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert f"resumed at step {saved:,}" in again.stdout


def test_ctrl_c_in_a_notebook_saves_and_stops_the_callers_loop_too(tmp_path, monkeypatch):
    after = loop._Loop._after

    def interrupt_after(self, step, state, stopping):
        after(self, step, state, stopping)
        if step == 10:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop._Loop, "_after", interrupt_after)
    experiment = miniature("digits/ae", num_steps=20, log_every=10, eval_every=0)
    with pytest.raises(KeyboardInterrupt):
        gm_jax.fit(experiment, tmp_path / "run")
    assert 10 <= gm_jax.open(tmp_path / "run", step="latest").step < 20
    monkeypatch.undo()
    assert gm_jax.fit(experiment, tmp_path / "run").step == 20


def test_a_run_that_differs_is_not_touched(tmp_path):
    experiment = miniature("digits/ae", num_steps=2, checkpoint_every=0)
    gm_jax.fit(experiment, tmp_path / "run")
    before = (tmp_path / "run" / "experiment.json").read_text()
    with pytest.raises(UserError, match=r"differs: model.latent_dim is 4 there and 3 here"):
        gm_jax.fit(experiment.replace(**{"model.latent_dim": 3}), tmp_path / "run")
    with pytest.raises(UserError, match="holds a run of digits/ae, not of digits/vae"):
        gm_jax.fit(miniature("digits/vae"), tmp_path / "run")
    assert (tmp_path / "run" / "experiment.json").read_text() == before
    longer = experiment.replace(**{"training.num_steps": 3})
    assert gm_jax.fit(longer, tmp_path / "run").step == 3


def test_a_run_can_be_moved(tmp_path):
    gm_jax.fit(miniature("digits/ae", num_steps=2), tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")
    assert gm_jax.open(tmp_path / "moved").step == 2
    text = "".join(
        p.read_text() for p in (tmp_path / "moved").rglob("*.json*") if "checkpoints" not in str(p)
    )
    assert str(tmp_path) not in text
