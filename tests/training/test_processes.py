"""Several processes train one run: who writes, and what happens when one is gone."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

import gm_jax
from gm_jax.cli.together import ending_with_the_others
from gm_jax.cli.train import is_one_of_several
from gm_jax.errors import UserError
from gm_jax.experiment import Sharding, Training
from gm_jax.experiment_file import load
from gm_jax.training import loop, processes
from gm_jax.training.records import read_records

TURN = {"log_every": 2, "eval_every": 0, "checkpoint_every": 4, "sample_every": 0}


def experiment(num_steps, **changes):
    return (
        load("digits/ae")
        .quick()
        .replace(
            training=Training(num_steps=num_steps, **TURN),
            sharding=Sharding(state_min_size=64),
            **{"data.batch_size": 16, "data.limit": 100} | changes,
        )
    )


def digest(run):
    arrays = jax.tree.leaves((run.here().state.params, run.here().state.opt_state))
    return hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in arrays)).hexdigest()


def work(folder, num_steps, changes, end_of_one, at):
    """In a process of its own: trains; process 1 does `end_of_one` to itself at a step."""
    after = loop._Loop._after

    def after_or_end(self, step, state, stopping):
        if step == at:
            self.saver.wait()
            if jax.process_index() == 1:
                os.kill(os.getpid(), end_of_one)
        after(self, step, state, stopping)

    if end_of_one:
        loop._Loop._after = after_or_end

    def fit():
        found = {"step": None}
        try:
            run = gm_jax.fit(experiment(num_steps, **changes), folder)
            test = {name: figure.value for name, figure in run.evaluate("test").items()}
            found = {"step": run.step, "digest": digest(run), "test": test}
        except SystemExit as error:
            found["code"] = error.code
        sys.stdout.write("\n" + json.dumps(found) + "\n")
        return 0

    sys.exit(ending_with_the_others(fit))


def together(count, folder, num_steps, changes=None, end_of_one=0, at=0):
    """Trains in so many processes; what each ended with, and how long the last took after it."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from gm_jax.training.processes import connect
connect("localhost:{port}", {count}, int(sys.argv[1]))
from test_processes import work
work({str(folder)!r}, {num_steps}, {changes or {}!r}, {int(end_of_one)}, {at})
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(number)],
            env=os.environ | {"XLA_FLAGS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        if end_of_one == signal.SIGKILL:
            children[1].wait(300)
        gone = time.monotonic()
        ends = [(*child.communicate(timeout=300), child.returncode) for child in children]
    finally:
        for child in children:
            child.kill()
    return ends, time.monotonic() - gone


def told(ends):
    """What the processes found, all of them the same."""
    for _, err, code in ends:
        assert code == 0, err
    found = [json.loads(out.splitlines()[-1]) for out, _, _ in ends]
    assert all(f == found[0] for f in found)
    return found[0]


def losses(folder):
    rows = read_records(folder / "metrics.jsonl")
    return [(row["step"], row["loss"]) for row in rows if row["phase"] == "train"]


@pytest.mark.slow
def test_two_processes_train_as_one_with_two_devices(tmp_path):
    ends, _ = together(2, tmp_path / "two", 8, {"data.device_budget_mib": 0})
    found = told(ends)
    assert found["step"] == 8
    one = gm_jax.fit(experiment(8, **{"sharding.data": 2}), tmp_path / "one")
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5)
    assert [step for step, _ in losses(tmp_path / "two")] == [2, 4, 6, 8]  # one process wrote
    assert ends[0][0].count("step 8/8") == 1
    assert "step" not in ends[1][0].replace('"step"', "")
    here = gm_jax.open(tmp_path / "two")  # of which this process has all parts
    chex.assert_trees_all_close(here.state.params, one.state.params, rtol=1e-3, atol=1e-5)
    assert digest(here) == found["digest"]


@pytest.mark.slow
def test_four_processes_of_which_one_is_killed_go_on_to_the_same_bits(tmp_path):
    straight = told(together(4, tmp_path / "straight", 12)[0])
    ends, seconds = together(4, tmp_path / "killed", 12, end_of_one=signal.SIGKILL, at=6)
    assert seconds < processes.HEARTBEAT_SECONDS + 10
    assert ends[1][2] == -signal.SIGKILL
    for number in (0, 2, 3):
        _, err, code = ends[number]
        assert code, err
        assert "another one ended or can't be reached" in err or "another task died" in err
    assert gm_jax.open(tmp_path / "killed").step == 4
    assert told(together(4, tmp_path / "killed", 12)[0]) == straight
    assert losses(tmp_path / "killed") == losses(tmp_path / "straight")


@pytest.mark.slow
def test_a_signal_to_one_of_two_stops_both_at_the_same_step(tmp_path):
    straight = told(together(2, tmp_path / "straight", 12)[0])
    stopped = told(together(2, tmp_path / "run", 12, end_of_one=signal.SIGTERM, at=5)[0])
    assert stopped == {"step": None, "code": 128 + signal.SIGTERM}
    assert 5 <= gm_jax.open(tmp_path / "run").step < 12
    assert told(together(2, tmp_path / "run", 12)[0]) == straight
    assert losses(tmp_path / "run") == losses(tmp_path / "straight")


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, False),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, False),  # sbatch's own shell, not srun's
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"TPU_WORKER_HOSTNAMES": "t1k-0,t1k-1"}, True),
        ({"JAX_COORDINATOR_ADDRESS": "host:1234"}, True),
    ],
)
def test_others_are_found_by_the_environment(environment, several):
    assert is_one_of_several(environment) is several


def test_an_error_of_its_own_is_not_laid_on_others(monkeypatch):
    gone = jax.errors.JaxRuntimeError("UNKNOWN: Gloo all-reduce failed: Connection closed by peer")
    assert processes.lost(gone) is None  # of one process
    monkeypatch.setattr(processes, "several", lambda: True)
    assert "another one ended or can't be reached" in str(processes.lost(gone))
    assert processes.lost(jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 8 GiB")) is None
    assert processes.lost(ValueError("a bug")) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("host", 2, 0), "the coordinator must be host:port, not 'host'"),
        (("host:1", 0, 0), "the number of processes must be at least 1, not 0"),
        (("host:1", 2, 2), "the process id must be 0 to 1, not 2"),
        (("host:1", 2, -1), "the process id must be 0 to 1, not -1"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_waits(given, message):
    with pytest.raises(UserError, match=message):
        processes.connect(*given)
