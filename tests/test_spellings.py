"""What is typed in another way than the help shows it, and is clear all the same."""

import io
import os

import pytest

from gm_jax import cli
from gm_jax.cli.spellings import as_switches, whole_number
from gm_jax.cli.train import Train, find_experiment
from gm_jax.errors import UserError


def read(*typed):
    """What is to be trained, from a command line."""
    return Train.parsed("train", typed)


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("1e2", 100), ("1.5e1", 15), ("100.0", 100), ("-3", -3)]
)
def test_whole_numbers(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["1.5", "1e-2", "x", "", "nan", "1e999999999"])
def test_what_is_no_whole_number(text):
    with pytest.raises(ValueError, match="invalid literal"):
        whole_number(text)


def test_values_of_an_experiment():
    one = read(
        *("digits/arm_pixelcnn", "--model.gated", "false", "--training.num-steps", "1e2"),
        *("--data.limit", "none", "--data.valid", "none", "--model.conditional=True"),
    ).experiment
    assert (one.model.gated, one.model.conditional) == (False, True)
    assert (one.training.num_steps, one.data.limit, one.data.valid) == (100, None, None)
    assert read("digits/arm_pixelcnn", "--model.gated", "true").experiment.model.gated
    assert read("digits/arm_pixelcnn", "--model.gated").experiment.model.gated
    assert not read("digits/arm_pixelcnn", "--model.no-gated").experiment.model.gated
    hidden = read("digits/vae", "--model.coder.hidden", "1e1", "20").experiment.model.coder.hidden
    assert hidden == (10, 20)


def test_a_switch_keeps_what_follows_it():
    assert as_switches(["--json", "runs/true", "--x", "true"], ["json"]) == [
        *("--json", "runs/true", "--x", "true")
    ]
    assert as_switches(["--a.b_c", "FALSE", "true"], ["a.b-c"]) == ["--a.no-b-c", "true"]
    with pytest.raises(UserError, match="--json must be true or false, not 'yes'"):
        as_switches(["--json=yes"], ["json"])


@pytest.mark.parametrize(
    ("typed", "experiment"),
    [
        ("digits/vae --seed 1", "digits/vae"),
        ("digits/vea --run digits/vae", "digits/vea"),
        ("--run runs/x digits/vae", "digits/vae"),
        ("--run digits/ae digits/vae", "digits/vae"),
        ("--model.latent-dim 8 digits/vae --seed 3", "digits/vae"),
        ("--model.coder.hidden 8 8 digits/vae", "digits/vae"),
        ("--data.path photo.png folder/vae", "folder/vae"),
        ("--seed 1 digits/vea", "digits/vea"),
        ("--run runs/x", None),
        ("--help", None),
        ("", None),
    ],
)
def test_the_experiment_may_stand_behind_options(typed, experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").touch()
    assert find_experiment(typed.split()) == experiment


def test_options_before_the_experiment():
    one = read("--run", "runs/x", "--model.latent-dim", "8", "digits/vae", "--seed", "3")
    assert str(one.run) == "runs/x"
    assert (one.experiment.name, one.experiment.model.latent_dim) == ("digits/vae", 8)
    assert one.experiment.seed == 3


def told(capsys, typed):
    with pytest.raises(SystemExit) as stop:
        cli.main(typed.split())
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_and_version_as_words(capsys):
    assert told(capsys, "help") == told(capsys, "--help")
    assert told(capsys, "help sample") == told(capsys, "sample --help")
    assert told(capsys, "help train") == told(capsys, "train -h")
    assert "--model.latent-dim" in told(capsys, "help train digits/vae")
    assert told(capsys, "version") == told(capsys, "--version")
    assert told(capsys, "version").startswith("gm_jax ")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_in_help(no_color, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    if not no_color:
        monkeypatch.delenv("NO_COLOR")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "--help"])
    assert "usage: gm-jax evaluate" in screen.getvalue() or not no_color
    assert ("\x1b[" in screen.getvalue()) != no_color
    assert os.environ["TERM"] == "xterm"
