"""Output that cannot be shown or that nobody reads stops nothing."""

import io
import os
import subprocess
import sys

import pytest

import gm_jax
from gm_jax import cli
from gm_jax.standard_streams import forgiving_streams

TINY = (
    "--training.num-steps 2 --training.log-every 1 --training.sample-every 0 --data.batch-size 8 "
    "--data.limit 24 --model.coder.hidden 4 --evaluation.num-samples 0"
)
# One process for all: train, evaluate, sample and list.
SCRIPT = f"""
import sys
from gm_jax.cli import main
for typed in ("train digits/vae --run run {TINY}", "evaluate run --split test[:10]",
              "sample run --num 4", "list", "help train digits/vae"):
    try:
        main(typed.split())
    except SystemExit as stop:
        if stop.code:
            sys.exit(stop.code)
"""


def process(script, cwd, stdout, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=cwd,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_plain_characters_where_there_are_no_others(encoding, tmp_path):
    started = process(SCRIPT, tmp_path, subprocess.PIPE, PYTHONIOENCODING=encoding)
    out, err = started.communicate(timeout=120)
    assert started.returncode == 0, err.decode()
    said = out.decode(encoding)
    assert "-ELBO (nats)" in said  # written with a minus sign
    assert {"ascii": " +- ", "latin-1": " ± "}[encoding] in said
    assert {"ascii": " - step 2 - ", "latin-1": " · step 2 · "}[encoding] in said
    assert "digits/vae" in said
    assert "usage: gm-jax train digits/vae" in said


@pytest.mark.slow
def test_trainings_whose_output_nobody_reads_go_on(tmp_path):
    """From Python and from the shell."""
    reads, writes = os.pipe()
    script = (
        "import gm_jax\n"
        "from gm_jax.cli import main\n"
        "experiment = gm_jax.load('digits/ae').quick().replace(**{'training.sample_every': 0})\n"
        "gm_jax.fit(experiment, 'first')\n"
        f"main('train digits/ae --run second {TINY}'.split())\n"
    )
    started = process(script, tmp_path, writes)
    os.close(writes)
    os.close(reads)
    err = started.communicate(timeout=120)[1]
    assert (started.returncode, err) == (0, b"")
    assert gm_jax.open(tmp_path / "first").step == 4
    assert gm_jax.open(tmp_path / "second").step == 2
    assert (tmp_path / "second" / "curves.png").exists()


def own(monkeypatch, stream):
    """Makes a stream the process's own stdout."""
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "__stdout__", stream)


def test_each_character_has_a_plain_one(monkeypatch, tmp_path):
    with (tmp_path / "out.txt").open("w", encoding="ascii") as file:
        own(monkeypatch, file)
        with forgiving_streams():
            sys.stdout.write("a · b − c ± d × e → f … é ² 漢\n")
            sys.stdout.write("\udcff")  # of a file's name that is no Unicode
    assert (tmp_path / "out.txt").read_text() == "a - b - c +- d x e -> f ... e 2 ?\n?"


def test_what_was_printed_before_and_after_stays_in_order(monkeypatch, tmp_path):
    with (tmp_path / "out.txt").open("w") as file:
        own(monkeypatch, file)
        sys.stdout.write("before ")
        with forgiving_streams():
            sys.stdout.write("while ")
        sys.stdout.write("after")
    assert (tmp_path / "out.txt").read_text() == "before while after"


def test_no_stdout_at_all(monkeypatch):
    own(monkeypatch, None)
    with forgiving_streams():
        sys.stdout.write("nowhere")
        assert not sys.stdout.isatty()
    assert sys.stdout is None


def test_what_a_test_or_a_notebook_put_there_stays(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    there = sys.stdout
    with forgiving_streams():
        assert sys.stdout is there


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_no_reader_that_left(monkeypatch, capfd):
    with open("/dev/full", "w") as full:  # noqa: SIM117
        with monkeypatch.context() as patch:
            own(patch, full)
            with pytest.raises(SystemExit) as stop:
                cli.main(["version"])
    assert stop.value.code == 2
    assert "the disk is full" in capfd.readouterr().err
