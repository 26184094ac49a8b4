"""gm-jax list, show and results."""

import json
import shutil

import pytest

import gm_jax
from gm_jax import cli
from gm_jax.cli import results
from gm_jax.errors import UserError
from gm_jax.results.digest import digest
from gm_jax.results.record import keep
from gm_jax.training import provenance


def test_a_line_an_experiment_that_fits(capsys):
    assert cli.dispatch(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    experiments = [line for line in lines if line.partition(" ")[0].count("/") == 1]
    files = gm_jax.experiment_file.find_experiments()
    assert [line.split()[0] for line in experiments] == [f.name for f in files]
    assert ":paper" in next(line for line in experiments if line.startswith("mnist/pixelcnn "))


def test_records_are_listed(checkout, file, record, capsys):
    keep(record(), file)
    assert cli.dispatch(["list", "some"]) == 0
    (line, *_) = capsys.readouterr().out.splitlines()
    what = "A Gaussian for each class: of nobody"
    assert " ".join(line.split()) == f"some/tiny {what} 2.000 bits/dim (bound) 1.2 :paper"
    assert cli.dispatch(["list", "some/*", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["variants"] == ["paper"]
    assert told["records"][0]["figures"]["bits_per_dim"]["value"] == 2.0


def test_what_is_not_there_is_not_listed():
    with pytest.raises(UserError, match=r"no experiment mnits\. Did you mean mnist"):
        cli.dispatch(["list", "mnits"])


def test_an_experiment_is_shown(checkout, file, record, capsys):
    keep(record(digest=digest(gm_jax.load("some/tiny"))), file)
    keep(record("some/tiny:paper", digest="as it was"), file)
    assert cli.dispatch(["show", "some/tiny"]) == 0
    told = capsys.readouterr().out
    assert "Paper: none" in told
    assert "some/tiny:paper · As published. Two lines." in told
    assert "model.shrinkage: 0.5 → 0.25" in told
    assert "some/tiny · seed 0 · 2.000 ± 0.010 bits/dim (bound)\n" in told
    assert "bits/dim (bound) · of the recipe as it was\n" in told
    assert "step 2 · 1.2 core-minutes · 2026-11-21 · a CPU, 2 cores" in told
    assert cli.dispatch(["show", "some/tiny:paper"]) == 0
    assert "\nrecord    some/tiny · " not in capsys.readouterr().out


@pytest.fixture
def ran(checkout, monkeypatch):
    """The commands that gm-jax results ran, which did nothing."""
    commands = []

    def run(arguments, end):
        commands.append(arguments)
        return int("fails" in " ".join(arguments))

    monkeypatch.setattr(results, "_run", run)
    monkeypatch.setattr(results, "_has_accelerator", lambda: False)
    monkeypatch.setattr(provenance, "uncommitted", list)
    return commands


def test_what_has_no_record_is_trained_and_recorded(checkout, file, record, ran, capsys):
    assert cli.dispatch(["results", "--train", "--runs", "r"]) == 0
    folder = str(checkout / "r" / "some" / "tiny")
    assert ran == [["train", "some/tiny", "--run", folder], ["record", folder]]
    assert "some/tiny:paper · is for an accelerator, and there is none" in capsys.readouterr().out
    ran.clear()
    keep(record(digest=digest(gm_jax.load("some/tiny"))), file)
    assert cli.dispatch(["results", "some/*", "--train", "--seeds", "0", "3", "--runs", "r"]) == 0
    assert "some/tiny · has its record" in capsys.readouterr().out
    assert ran[0] == ["train", "some/tiny", "--run", f"{folder}-seed-3", "--seed", "3"]
    assert "`some/tiny`" in (checkout / "docs" / "results.md").read_text()


READER = '''"""Reads digits: of nobody.

Budget: 60 core-minutes
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Experiment, Training
from gm_jax.models.classifier import Classifier


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), limit=60, batch_size=60),
        model=Classifier(features=(4,), dense=8),
        training=Training(num_steps=1, sample_every=0),
    )
'''


def test_the_classifier_that_reads_the_samples_is_trained_first(
    checkout, file, ran, monkeypatch, capsys
):
    path = file.path.with_name("classifier.py")
    path.write_text(READER)
    train = ["results", "some/tiny", "--train", "--runs", "runs"]
    tiny, reader = (str(checkout / "runs" / "some" / name) for name in ("tiny", "classifier"))
    done_nothing = results._run

    def run(arguments, end):
        if arguments[1] == "some/classifier":
            gm_jax.fit(gm_jax.load(str(path)), reader)
        return done_nothing(arguments, end)

    monkeypatch.setattr(results, "_run", run)
    assert cli.dispatch(train) == 0
    assert ran == [
        ["train", "some/tiny", "--run", tiny],
        ["train", "some/classifier", "--run", reader],
        ["record", tiny, "--classifier", reader],
    ]
    assert "some/classifier is to read what some/tiny draws" in capsys.readouterr().out
    ran.clear()
    assert cli.dispatch(train) == 0  # it is there
    assert [command[:2] for command in ran] == [["train", "some/tiny"], ["record", tiny]]
    assert ran[1][2:] == ["--classifier", reader]
    ran.clear()
    path.write_text(READER.replace("60 core", "61 core"))  # dearer than what it reads
    assert cli.dispatch(train) == 0
    assert ran[1] == ["record", tiny, "--classifier", reader]  # but it is there
    ran.clear()
    shutil.rmtree(reader)
    assert cli.dispatch(train) == 0
    assert ran == [["train", "some/tiny", "--run", tiny], ["record", tiny]]


def test_a_run_of_the_recipe_as_it_was_is_put_aside(checkout, file, ran, capsys):
    folder = checkout / "runs" / "some" / "tiny"
    before = (folder / "experiment.json").read_text()
    assert cli.dispatch(["results", "--train", "--runs", "runs"]) == 0
    assert (folder / "experiment.json").read_text() == before  # it goes on
    file.path.write_text(file.path.read_text().replace("shrinkage=0.5", "shrinkage=0.4"))
    capsys.readouterr()
    assert cli.dispatch(["results", "--train", "--runs", "runs"]) == 0
    assert not folder.exists()
    aside = folder.with_name("tiny-earlier-1")
    assert (aside / "experiment.json").read_text() == before
    assert "it is tiny-earlier-1 now" in capsys.readouterr().out
    assert ran[-2][:2] == ["train", "some/tiny"]


def test_a_plan_trains_nothing(checkout, ran, capsys):
    assert cli.dispatch(["results", "--plan"]) == 0
    assert ran == []
    assert "some/tiny · about 60 core-minutes" in capsys.readouterr().out


def test_uncommitted_code_is_trained_but_not_recorded(checkout, ran, monkeypatch, capsys):
    monkeypatch.setattr(provenance, "uncommitted", lambda: ["gm_jax/rng.py", "gm_jax/model.py"])
    assert cli.dispatch(["results", "--train"]) == 0
    assert [command[0] for command in ran] == ["train"]
    assert "gm_jax/rng.py is in no commit (nor 1 more)" in capsys.readouterr().out


def test_what_fails_or_has_no_data_does_not_stop_the_others(checkout, file, ran, capsys):
    for name in ("fails", "no_data", "other"):
        text = file.path.read_text()
        if name == "no_data":
            text = text.replace("Digits()", "ImageFolder('nowhere')").replace(
                "Digits", "ImageFolder"
            )
        file.path.with_name(f"{name}.py").write_text(text)
    with pytest.raises(UserError, match="1 of 8 failed: some/fails"):
        cli.dispatch(["results", "--train"])
    trained = [command[1] for command in ran if command[0] == "train"]
    assert trained == ["some/fails", "some/other", "some/tiny"]
    assert "some/no_data · left out: there is no folder or archive" in capsys.readouterr().out


def test_time_that_is_over_ends_it(checkout, file, ran, monkeypatch, capsys):
    file.path.with_name("other.py").write_text(file.path.read_text())
    monkeypatch.setattr(results, "_run", lambda arguments, end: ran.append(arguments) or 130)
    assert cli.dispatch(["results", "--train", "--minutes", "0"]) == 0
    assert len(ran) == 1
    assert "0 minutes are over" in capsys.readouterr().out


def test_no_recipe_of_a_pattern(ran):
    with pytest.raises(UserError, match=r"no recipe fits nothing/\*"):
        cli.dispatch(["results", "nothing/*", "--train"])
