"""What README.md and docs/ print runs as it stands: Python is executed, commands are parsed.

docs/adding-a-model.md, a family in one file, has tests of its own.
"""

import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import gm_jax
from gm_jax.cli.commands import COMMANDS
from gm_jax.data import DataSpec
from gm_jax.experiment_file import load
from gm_jax.training.folder import RunFolder

ROOT = Path(__file__).parent.parent
RUN = r"^(?!compare|report)\w+ +runs/(\w+(?:/\w+)?)"  # those two take folders of runs, too
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands():
    """What stands behind gm-jax in console blocks, without comments."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for typed in re.findall(r"^\$ (?:uv run )?gm-jax +(.*)$", block, re.MULTILINE):
                yield typed.partition(" #")[0].strip()


TYPED = sorted({*commands()})
PYTHON = [page for page in PAGES if blocks(page, "python") and page.name != "adding-a-model.md"]


@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, real_data):
    """The blocks of a page one after the other, as a notebook would have them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gm_jax, "load", lambda name: load(name).quick())
    told = SimpleNamespace(log=lambda *_, **__: None, finish=lambda: None)
    stand_in = SimpleNamespace(init=lambda **_: told, Image=lambda picture: picture)
    monkeypatch.setitem(sys.modules, "wandb", stand_in)  # which is no dependency
    namespace = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), namespace)


def test_there_are_commands_to_parse():
    assert len(TYPED) > 20


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the commands name: experiments, and runs as they are before a step."""
    folder = tmp_path_factory.mktemp("place")
    (text,) = blocks(ROOT / "docs" / "adding-a-model.md", "python")
    own = {"mine": folder / "mine.py", "mine/independent": folder / "mine" / "independent.py"}
    for path in own.values():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    small = "\n\ndef small() -> Experiment:\n    return get_config()\n"
    (folder / "mine" / "exp.py").write_text(text + small)
    (folder / "experiments").symlink_to(ROOT / "experiments")
    for name in sorted({name for typed in TYPED for name in re.findall(RUN, typed)}):
        experiment = load(str(own.get(name, name)))
        RunFolder(folder / "runs" / name).claim(experiment, DataSpec((8, 8, 1)), 0)
    return folder


@pytest.mark.parametrize("typed", TYPED)
def test_a_command_parses(typed, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    name, *rest = shlex.split(typed)
    if "--help" in rest:
        with pytest.raises(SystemExit) as stop:
            COMMANDS[name].parsed(name, rest)
        assert stop.value.code == 0
    else:
        assert COMMANDS[name].parsed(name, rest)
