"""What trained a run: each part of it, and whether its code is in a commit."""

import json
import subprocess

import pytest

import gm_jax
from gm_jax.training import provenance
from gm_jax.training.folder import RunFolder


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository that the code seems to run from."""

    def git(*args):
        user = ("-c", "user.name=A", "-c", "user.email=a@b.c")
        subprocess.run(["git", *user, *args], cwd=tmp_path, check=True, capture_output=True)

    for name in ("gm_jax/rng.py", "experiments/toy/gan.py", "docs/page.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("1\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    monkeypatch.setattr(provenance, "_checkout", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_code"),
    [
        ("gm_jax/rng.py", True),
        ("gm_jax/new file.py", True),
        ("experiments/toy/gan.py", True),
        ("experiments/mine.py", True),
        ("experiments/toy/gan.json", False),  # records are written while others are trained
        ("docs/page.md", False),
        ("notes.txt", False),
    ],
)
def test_code_in_no_commit_is_found(repository, name, is_code):
    assert provenance.uncommitted() == []
    assert not provenance.part_from(0)["dirty"]
    (repository / name).write_text("2\n")
    assert [found.strip('"') for found in provenance.uncommitted()] == [name] * is_code
    part = provenance.part_from(5)
    assert (part["step"], part["dirty"]) == (5, is_code)
    assert len(part["commit"]) == 40


def test_an_installed_package_has_no_commit(monkeypatch):
    monkeypatch.setattr(provenance, "_checkout", lambda: None)
    part = provenance.part_from(0)
    assert (part["commit"], part["dirty"]) == (None, False)
    assert part["versions"]["gm_jax"] == gm_jax.__version__


def test_parts_follow_each_other_and_what_was_undone_goes(tmp_path, monkeypatch):
    experiment = gm_jax.load("digits/vae")
    commits = iter("abcdef")
    monkeypatch.setattr(
        provenance, "_git", lambda *args: next(commits) if args[1:] == ("HEAD",) else ""
    )
    for step in (0, 500, 1000, 700, 700):
        RunFolder(tmp_path).claim(experiment, experiment.data.spec, step)
    plain = json.loads((tmp_path / "experiment.json").read_text())
    assert [(p["step"], p["commit"]) for p in provenance.parts_of(plain)] == [
        (0, "a"),
        (500, "b"),
        (700, "e"),
    ]
    RunFolder(tmp_path).claim(experiment, experiment.data.spec, 0)
    (part,) = json.loads((tmp_path / "experiment.json").read_text())["parts"]
    assert part["commit"] == "f"


def test_a_run_of_before_parts_has_one():
    assert provenance.parts_of({"commit": "c0ffee", "versions": {"jax": "0.12"}}) == [
        {"step": 0, "commit": "c0ffee", "versions": {"jax": "0.12"}}
    ]
