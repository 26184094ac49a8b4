"""Completion in shells: what stands in the script, and what bash makes of it."""

import shutil
import subprocess

import pytest

from gm_jax import cli
from gm_jax.cli.commands import COMMANDS
from gm_jax.cli.completion import completion_script
from gm_jax.experiment_file import find_experiments

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_gm_jax gm-jax "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "gm-jax.bash"
    path.write_text(completion_script(COMMANDS, "bash"))
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["ev"], ["evaluate"]),
        (["train", "digits/va"], ["digits/vae"]),
        (["train", "mnist/pixelcnn:pa"], ["mnist/pixelcnn:paper"]),
        (["train", "digits/vae", "--training.num"], ["--training.num-steps"]),
        (["train", "digits/vae", "--ru"], ["--run"]),
        (["train", "digits/vae", "--evaluation.checkpoint", ""], ["latest", "best"]),
        (["data", "pr"], ["prepare"]),
        (["sample", "--no"], ["--no-means"]),
        (["train", "nothing/like-it"], [""]),
    ],
    ids=lambda words: " ".join(words),
)
def test_bash_completes(script, words, ends):
    asked = subprocess.run(
        ["bash", "-c", ASK, "bash", script, "gm-jax", *words], capture_output=True, text=True
    )
    assert not asked.stderr
    assert asked.stdout.splitlines() == ends


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_run_is_completed_as_a_path(script, tmp_path):
    (tmp_path / "runs").mkdir()
    asked = subprocess.run(
        ["bash", "-c", ASK, "bash", script, "gm-jax", "sample", f"{tmp_path}/ru"],
        capture_output=True,
        text=True,
    )
    assert asked.stdout.splitlines() == [f"{tmp_path}/runs"]


def test_zsh_is_told_all_commands_and_experiments():
    script = completion_script(COMMANDS, "zsh")
    assert script.startswith("#compdef gm-jax")
    for name in [*COMMANDS, *(file.name for file in find_experiments())]:
        assert name in script


def test_it_is_printed(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["completion", "zsh"])
    assert not left.value.code
    assert capsys.readouterr().out.startswith("#compdef gm-jax")
