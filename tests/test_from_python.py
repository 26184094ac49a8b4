"""What a notebook sees of a run and of an experiment, and that errors speak Python there."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax.errors import UserError

PACKAGE = Path(gm_jax.__file__).parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    experiment = gm_jax.load("digits/vae").quick()
    return gm_jax.fit(experiment, tmp_path_factory.mktemp("runs") / "vae")


def test_a_run_in_a_terminal(run):
    first, *rows = repr(run).splitlines()
    assert first == f"Run {run.folder}"
    assert {"experiment  digits/vae", "step        4 of 4"} <= {row.strip() for row in rows}
    assert any("latent_dim=4" in row and row.strip().startswith("model") for row in rows)
    assert any("valid" in row and "step 4 · " in row and "bits_per_dim" in row for row in rows)


def test_a_run_in_a_notebook(run, tmp_path):
    page = run._repr_html_()
    assert page.count("<tr>") == len(repr(run).splitlines()) - 1
    assert '<img style="max-width:640px" src="data:image/png;base64,' in page
    other = gm_jax.Run(tmp_path, run.experiment, run.state, run._mesh)
    assert "<img" not in other._repr_html_()  # no picture was made there
    (tmp_path / "samples").mkdir()
    Image.new("L", (3, 3)).save(tmp_path / "samples" / "step_00000002.png")
    assert "<img" in other._repr_html_()


def test_an_experiment_in_a_terminal_and_a_notebook():
    experiment = gm_jax.load("digits/vae")
    first, *rows = repr(experiment).splitlines()
    assert first == "Experiment digits/vae"
    assert [row.split()[0] for row in rows][:3] == ["data", "model", "training"]
    assert "Training(num_steps=3000" in repr(experiment)
    assert "log_every" not in repr(experiment)  # as it is by default
    page = experiment.replace(name="<b>")._repr_html_()
    assert "Experiment &lt;b&gt;" in page
    assert page.count("<tr>") == len(rows)


def test_metrics_are_arrays_by_phase_and_name(run):
    metrics = run.metrics
    assert list(metrics) == ["train", "valid"]
    assert metrics["train"]["step"].tolist() == [2, 4]
    assert metrics["train"]["loss"].dtype == np.float64
    assert "time" not in metrics["train"]
    assert "phase" not in metrics["train"]
    figure = run.evaluate("valid")["bits_per_dim"].value
    np.testing.assert_allclose(metrics["valid"]["bits_per_dim"][-1], figure, rtol=1e-6)


def test_errors_of_the_library_name_no_flags():
    """What the command line needs beside a message it gets as the option of a UserError."""
    named = []
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] == "cli":
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and "Error" in ast.unparse(call.func) and call.args:
                said = ast.unparse(call.args[0])
                named += [f"{path}:{call.lineno}"] if re.search(r"--[a-z]", said) else []
    assert not named


def test_the_option_is_for_the_command_line():
    error = UserError("it is full: give another folder", "--run")
    assert str(error) == "it is full: give another folder"
    assert error.shell_line() == "it is full: give another folder (--run)"
    assert error.of("x").shell_line() == "x: it is full: give another folder (--run)"
    assert UserError("no").of("x").shell_line() == "x: no"
