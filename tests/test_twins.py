"""The twins of benchmarks/twins: what ours exports, the page, and the check where PyTorch is."""

import contextlib
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gm_jax.errors import UserError

ROOT = Path(__file__).parent.parent

RECORD = {
    "system": "vae_mlp",
    "batch": 200,
    "threads": 2,
    "device": "cpu",
    "device_name": "cpu",
    "machine": "a processor, 2 cores",
    "date": "2026-11-30",
    "load": 0.1,
    "commit": "abc1234",
    "changed": False,
    "init_s": 0.5,
    "images_per_s": 50_000.0,
    "check": {"parameters": 110_360, "loss_difference": 9e-8, "step_difference": 2e-7},
}
OURS = RECORD | {
    "side": "ours",
    "mode": "jit",
    "versions": {"jax": "0.12"},
    "compile_s": 2.0,
    "first_step_s": 2.1,
    "peak_rss_mib": 400.0,
    "flops": 120e6,
    "bytes": 30e6,
    "product_gflops": 150.0,
    "bandwidth_gb_per_s": 20.0,
}
EAGER = RECORD | {
    "side": "torch",
    "mode": "eager",
    "versions": {"torch": "2.14"},
    "compile_s": 0.0,
    "first_step_s": 0.2,
    "peak_rss_mib": 500.0,
}


@pytest.fixture(scope="module")
def twins():
    """The modules by name; the folder is no part of an installed gm_jax."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield lambda name: importlib.import_module(f"benchmarks.twins.{name}")


@pytest.fixture(scope="module")
def exported(twins):
    return twins("ours").exported("vae_mlp", 2)


def test_the_losses_exported_are_those_of_an_update(twins, exported):
    ours = twins("ours")
    system = twins("systems").SYSTEMS["vae_mlp"]
    state = ours.nudged(ours.state_of(system, ours.DataMesh(2, 1)))
    model, batch = ours.experiment_of(system).model, ours.batch_of(system, 2)
    rngs = ours.Rngs(state.key).at("train", state.step)
    _, metrics = ours.compiled(model, "update")(state, batch, rngs)
    assert exported["loss/loss"] == pytest.approx(float(metrics["loss"]), rel=1e-5)
    assert exported["step/0/loss/loss"] == exported["loss/loss"]
    assert exported["step/1/loss/loss"] != exported["loss/loss"]
    names = {name.split("/")[0] for name in exported}
    assert names == {"params", "batch", "noise", "loss", "step"}


def test_every_system_has_its_modules(twins):
    for name, system in twins("systems").SYSTEMS.items():
        for folder in ("ours_noise", "torch_side"):
            assert (ROOT / "benchmarks" / "twins" / folder / f"{system.torch}.py").exists(), name


def test_a_batch_is_as_the_experiment_has_it(twins):
    systems, missing = twins("systems"), []
    for system in systems.SYSTEMS.values():
        try:
            spec = twins("ours").spec_of(system)
        except UserError as error:
            missing.append(str(error))
            continue
        experiment = twins("ours").experiment_of(system)
        assert system.batch == experiment.data.batch_size
        batch = systems.random_examples(system, 2)
        assert batch["image"].shape == (2, *spec.shape)
        assert batch["image"].max() < spec.num_levels
    if missing:  # the others are as they should be
        pytest.skip(f"real data: {missing[0]}")


def test_a_twin_has_our_losses(exported, tmp_path):
    pytest.importorskip("torch", reason="PyTorch, which the twins are checked with, isn't here")
    np.savez(tmp_path / "twin.npz", **exported)
    command = ["-m", "benchmarks.twins.torch_side.check", str(tmp_path / "twin.npz"), "vae_mlp"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_records(twins):
    page = twins("page")
    rounds = [(0, 2.0, 3.0), (1, 2.2, 2.0), (2, 1.9, 3.8)]
    kept = [OURS | {"round": n, "ms": ours} for n, ours, _ in rounds]
    kept += [EAGER | {"round": n, "ms": theirs} for n, _, theirs in rounds]
    text = page.tables(kept)
    assert "### a processor, 2 cores" in text
    assert "2026-11-30; 2 threads; jax 0.12, torch 2.14; commit abc1234" in text
    # 120 MFLOP in 2 ms are 60 GFLOP/s; 30 MB in 2 ms are 15 GB/s.
    row = "| vae_mlp, 200 | 2.00 | 3.00 | 0.67 (0.50–1.10) | – | – | 50,000 | 40% | 75% |"
    assert row in text
    costs = "| vae_mlp | 110,360 | 9e-08 | 2.1 / 0.2 / – | 2.0 / – | 400 / 500 / – |"
    assert costs in text
    whole = page.with_tables(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", text)
    assert whole == f"before\n{page.BEGIN}\n\n{text}\n{page.END}\nafter\n"
    assert page.with_tables(whole, text) == whole


def test_a_later_measurement_takes_the_place_of_an_earlier_one(twins, tmp_path):
    records, path = twins("records"), tmp_path / "twins.jsonl"
    first = OURS | {"round": 0, "ms": 2.0}
    records.append(first, path)
    records.append(first | {"round": 1}, path)
    records.append(first | {"ms": 3.0}, path)
    assert [(r["round"], r["ms"]) for r in records.read(path)] == [(0, 3.0), (1, 2.0)]
    with path.open("a") as file:
        file.write('{"system": "vae_m')  # a run that was killed
    records.append(first | {"round": 2}, path)
    assert [r["round"] for r in records.read(path)] == [0, 1, 2]
    assert json.loads(path.read_text().splitlines()[0]) == first


@pytest.mark.parametrize(
    ("command", "trains"),
    [
        ("python /home/me/.venv/bin/gm-jax results digits/* --train", True),
        ("python -m gm_jax results --train --seeds 0 1", True),
        ("nice -n 10 .venv/bin/gm-jax results --train", True),
        ("python -m gm_jax.cli train digits/vae --run /runs/results", False),
        ("python -m gm_jax results", False),
        ("vim results --train", False),
    ],
)
def test_which_commands_a_measurement_pauses(twins, command, trains):
    assert twins("pausing").trains_results(command.split()) == trains


@pytest.mark.skipif(sys.platform == "win32", reason="the states are those of a Unix")
def test_results_and_what_they_started_stand_still(twins, tmp_path, monkeypatch):
    psutil = pytest.importorskip("psutil")

    def stopped(process):
        return process.status() == psutil.STATUS_STOPPED

    def comes_true(condition):  # a signal takes a moment
        return any(condition() or time.sleep(0.01) for _ in range(3000))

    (tmp_path / "gm_jax.py").write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print('ready', flush=True)\n"
        "input()\n"
        "child.communicate(b'\\n')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "gm_jax", "results", "--train"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
            assert len(family) == 2
            # Of all processes only this one is looked at: no training here stands still for a test.
            monkeypatch.setattr(psutil, "process_iter", lambda: iter(family[:1]))
            with (
                contextlib.suppress(KeyboardInterrupt),
                twins("pausing").paused_results() as paused,
            ):
                assert paused == [member.pid for member in family]
                assert comes_true(lambda: all(map(stopped, family)))
                raise KeyboardInterrupt
            assert comes_true(lambda: not any(map(stopped, family)))
        finally:
            process.communicate(b"\n", timeout=60)
