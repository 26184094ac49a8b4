"""gm-jax compare as it is typed, and how little it and gm-jax report need."""

import json
import shutil
import subprocess
import sys

import pytest

import gm_jax
from gm_jax import cli
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.measured import Measured, keep_measured
from gm_jax.results import speed
from gm_jax.results.speed import sampling_speed


def told(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in argv])
    printed = capsys.readouterr()
    assert stop.value.code == 0, printed.err
    return printed.out


def test_a_table_and_what_to_do_next(make_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run("digits/vae")
    make_run("digits/gmm", name="digits/gmm", seed=1)
    make_run("digits/later", name="digits/later", test=False)
    title, *rows, figures, following = told(
        capsys, "compare", "runs", "--sort", "bits_per_dim"
    ).splitlines()
    assert title.split()[:3] == ["run", "family", "steps"]
    assert [row.split()[0] for row in rows] == ["digits/vae", "digits/gmm", "digits/later"]
    assert rows[0].endswith("2.002 ± 0.020 bound")
    assert rows[2].endswith("–")
    assert figures == "figures   of test · ± standard error over examples · – not measured"
    commands = following.removeprefix("next").strip().split("   ")
    assert commands == [
        "gm-jax train digits/later --run runs/digits/later",
        "gm-jax evaluate runs/digits/vae --features random",
        "gm-jax report runs",
    ]


def test_what_is_measured_is_asked_for_no_more(make_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = make_run("digits/vae")
    make_run("digits/classifier", name="digits/classifier")
    assert "--features runs/digits/classifier" in told(capsys, "compare", "runs/digits/vae")
    figures = {"fid": Figure(3.0, "estimate", 500), "label_agreement/3": Figure(1.0, "estimate", 9)}
    measured = Measured(
        step=1000, split="test", num=500, seed=0, features="random-0", figures=figures
    )
    keep_measured(folder, measured)
    out = told(capsys, "compare", "runs/digits/vae")
    assert "evaluate" not in out
    assert "          (a) in features random-0, of 500 samples\n" in out
    assert "agreement" not in out


def test_other_forms_and_files(make_run, tmp_path, capsys):
    folder = make_run("digits/vae")
    assert json.loads(told(capsys, "compare", folder, "--format", "json"))["rows"]
    out = tmp_path / "new" / "table.csv"
    assert str(out) in told(capsys, "compare", folder, "--out", out)
    assert out.read_text().startswith("run,recipe,family,seeds,folders,steps,")
    told(capsys, "compare", folder, "--out", out.with_suffix(".md"))
    assert out.with_suffix(".md").read_text().startswith("| run | family | steps |")


def test_minutes_of_accelerators(make_run, tmp_path, capsys):
    make_run("a")
    make_run("b", rate=0.1, accelerators="2 NVIDIA H200")
    told_minutes = json.loads(told(capsys, "compare", tmp_path / "runs", "--format", "json"))
    cells = [row["figures"]["device_minutes"] for row in told_minutes["rows"]]
    assert cells[0] is None
    assert cells[1]["value"] == pytest.approx(2 * 100 / 60)  # 100 seconds on each


def test_they_need_no_jax(make_run, tmp_path):
    """Of runs that keep the kinds of their figures; parameters are counted too."""
    folder = make_run("digits/vae")
    code = (
        "import sys\n"
        "from gm_jax.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    heavy = {'jax', 'flax', 'optax', 'orbax', 'matplotlib'} & set(sys.modules)\n"
        "    sys.exit(stop.code or (f'imported {heavy}' if heavy else 0))\n"
    )
    for typed in (["compare", folder], ["report", folder, "--out", tmp_path / "r.html"]):
        command = [sys.executable, "-c", code, *map(str, typed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def bayes(tmp_path_factory):
    experiment = gm_jax.load("digits/bayes").quick()
    return gm_jax.fit(experiment, tmp_path_factory.mktemp("speed") / "run").folder


def test_speed_is_the_median_of_what_the_clock_says(bayes, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(bayes, tmp_path / "run")
    seconds = iter([0.5, 4.0, 1.0, 0.5, 0.25])
    ticks = iter([t for took in seconds for t in (10.0, 10.0 + took)])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(ticks))
    assert sampling_speed(folder) == Figure(128.0, "estimate", 64)
    assert sampling_speed(folder).value == 128.0  # kept
    monkeypatch.undo()
    assert "128.0" in told(capsys, "compare", folder, "--speed", "--only", "images*")
    kept = json.loads((folder / "speed.json").read_text())
    (folder / "speed.json").write_text(json.dumps({**kept, "machine": "another"}))
    assert sampling_speed(folder).value != 128.0
    assert json.loads((folder / "speed.json").read_text())["machine"] == kept["machine"]
    # Without being asked for it is not shown.
    assert "images/s" not in told(capsys, "compare", folder)
