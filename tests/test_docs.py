"""The family of docs/adding-a-model.md works as printed."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gm_jax

TEXT = (Path(__file__).parent.parent / "docs" / "adding-a-model.md").read_text()
(FAMILY,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_walk_through_is_short():
    assert len(FAMILY.splitlines()) <= 130


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of it, from a file outside the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    path = folder / "mine" / "independent.py"
    path.parent.mkdir()
    path.write_text(FAMILY)
    experiment = gm_jax.load(str(path)).replace(**{"training.num_steps": 300})
    return gm_jax.fit(experiment, folder / "run")


def test_it_learns_the_histogram_of_each_class(run):
    figure = run.evaluate("test")["bits_per_dim"]
    # The best independent model is the histogram of the training images of a class at each pixel.
    data = run.experiment.data
    train, test = (data.open(split).arrays for split in ("train", "test"))
    nats = 0.0
    for label in range(10):
        seen = train["image"][train["label"] == label].reshape(-1, 64)
        counts = np.stack([(seen == level).sum(0) for level in range(17)], -1) + 0.5  # [64, 17]
        log_p = np.log(counts / counts.sum(-1, keepdims=True))
        new = test["image"][test["label"] == label].reshape(-1, 64)
        nats -= log_p[np.arange(64), new].sum()
    assert figure.kind == "exact"
    np.testing.assert_allclose(figure.value, nats / math.log(2) / test["image"].size, rtol=0.05)


def test_it_draws_by_label_in_its_own_way(run):
    cold = run.sample(4, condition=[3, 3, 7, 7], temperature=1e-3)
    np.testing.assert_array_equal(cold[0], cold[1])  # the most probable level of each pixel
    assert (cold[0] != cold[2]).any()
    assert (run.sample(2, condition=3)[0] != cold[0]).any()
    with pytest.raises(gm_jax.UserError, match="temperature must be greater than 0"):
        run.sample(1, temperature=0.0)


def test_it_is_stopped_and_resumed_from_python(run, tmp_path):
    experiment = gm_jax.load(str(run.folder.parent / "mine" / "independent.py"))
    experiment = experiment.replace(**{"data.limit": 24, "training.num_steps": 2})
    gm_jax.fit(experiment, tmp_path / "run")
    gm_jax.fit(experiment.replace(**{"training.num_steps": 4}), tmp_path / "run")
    again = gm_jax.open(tmp_path / "run")
    assert again.step == 4
    assert again.sample(2).shape == (2, 8, 8, 1)
    assert again.evaluate("test")["bits_per_dim"].n == 24


@pytest.mark.slow
def test_it_works_from_the_shell(tmp_path):
    """Trained, stopped, resumed, sampled, evaluated, each in a process of its own."""
    path = tmp_path / "mine" / "independent.py"
    path.parent.mkdir()
    path.write_text(FAMILY)
    work = tmp_path / "work"
    work.mkdir()

    def gm(*args, code=0):
        command = [sys.executable, "-c", "from gm_jax.cli import main; main()", *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=work, timeout=300)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    train = ("train", path, "--data.limit", 24, "--data.batch-size", 8, "--run", "r")
    train = (*train, "--model.optimizer.learning-rate", 0.1, "--evaluation.checkpoint", "best")
    assert "step 2" in gm(*train, "--training.num-steps", 2)
    assert "resumed at step 2" in gm(*train, "--training.num-steps", 4)
    assert "8 images" in gm("sample", "r", "--num", 8, "--label", 3, "--temperature", 0.5)
    path.write_text(FAMILY + "\n# Changed since.\n")
    told = gm("evaluate", "r", code=2)
    assert "independent.py has changed since the run was trained" in told
    assert told.count("\n") == 1
    assert "24 examples" in gm("evaluate", "r", "--experiment", path)
