"""A record of a run: what is refused, and what is kept."""

import dataclasses
import json

import numpy as np
import pytest

import gm_jax
from gm_jax import cli
from gm_jax.cli.closing import record_figures
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.models.classifier import Classifier
from gm_jax.results.digest import digest
from gm_jax.results.measure import is_finished, measure
from gm_jax.results.pages import PAGES
from gm_jax.results.record import keep, read_recorded
from gm_jax.training.records import METRICS

RUN = "runs/some/tiny"


@pytest.fixture
def run(checkout):
    return checkout / RUN


def change(run, **values):
    """Changes experiment.json at its top, or its experiment at dotted paths."""
    path = run / "experiment.json"
    plain = json.loads(path.read_text())
    for dotted, value in values.items():
        *above, last = dotted.split(".")
        place = plain
        for name in above:
            place = place[int(name) if name.isdecimal() else name]
        place[last] = value
    path.write_text(json.dumps(plain))


def lines(run):
    return [json.loads(line) for line in (run / METRICS).read_text().splitlines()]


def test_a_record_says_what_was_done(run):
    recipe, record = measure(run)
    assert (recipe.name, record.name, record.seed) == ("some/tiny", "some/tiny", 0)
    assert record.digest == digest(gm_jax.load("some/tiny"))
    assert (record.step, record.steps, record.examples) == (2, 2, 120)
    assert (record.family, record.levels, record.stopped_early) == ("Bayes", 17, False)
    assert record.peak_mib > 50
    assert 0 < record.core_minutes < 5
    assert record.machine["cores"] >= 1
    assert record.machine["accelerators"] is record.device_minutes is None
    figure = record.figures["bits_per_dim"]
    assert (figure.kind, figure.n) == ("bound", 60)
    assert figure.stderr > 0
    valid = [line for line in lines(run) if line["phase"] == "valid"][-1]
    assert record.valid["bits_per_dim"] == valid["bits_per_dim"]
    assert set(record.valid) == set(valid) - {"step", "phase", "time"}


def test_figures_that_training_ended_with_are_not_computed_again(run, monkeypatch):
    opened = gm_jax.open(run)
    figures = opened.evaluate("test")
    record_figures(opened, "test", figures)
    monkeypatch.setattr("gm_jax.run.Run.evaluate", None)
    _, record = measure(run)
    assert record.figures == figures


def test_what_is_no_number_is_not_recorded(run, monkeypatch):
    opened = gm_jax.open(run)
    figures = opened.evaluate("test")
    first, second, *_ = figures
    figures[first] = dataclasses.replace(figures[first], value=float("nan"))
    figures[second] = dataclasses.replace(figures[second], stderr=float("nan"))
    monkeypatch.setattr("gm_jax.run.Run.evaluate", lambda *_, **__: figures)
    anew = measure(run)[1].figures
    record_figures(opened, "test", figures)
    as_training_ended = measure(run)[1].figures
    for kept in (anew, as_training_ended):
        assert first not in kept
        assert kept[second] == dataclasses.replace(figures[second], stderr=0.0)


def test_figures_of_another_step_are_computed_again(run):
    opened = gm_jax.open(run)
    wrong = {n: dataclasses.replace(f, value=9.0) for n, f in opened.evaluate("test").items()}
    record_figures(opened, "test", wrong)
    text = (run / METRICS).read_text()
    assert measure(run)[1].figures["bits_per_dim"].value == 9.0
    (run / METRICS).write_text(text.replace('2, "phase": "test"', '1, "phase": "test"'))
    assert measure(run)[1].figures["bits_per_dim"].value < 9.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"experiment.model.shrinkage": 0.4, "experiment.training.eval_every": 7},
            "no run of some/tiny as it stands: model.shrinkage is 0.4 there and 0.5 in the recipe "
            r"\(and 1 more\); make it a variant",
        ),
        ({"numerics": 0}, "trained by version 0 of the updates of Bayes, and this is version 1"),
        ({"parts.0.dirty": True}, "trained by code that is in no commit"),
        ({"experiment.name": ""}, "of no experiment file: name it"),
        ({"experiment.name": "some/gone"}, "no experiment some/gone"),
        ({"experiment.name": "some/tiny:gone"}, "has no variant gone: it has paper"),
    ],
)
def test_what_is_no_run_of_a_recipe_is_refused(run, changes, message):
    change(run, **changes)
    with pytest.raises(UserError, match=message) as caught:
        measure(run)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_not_finished_is_refused(checkout):
    path = checkout / "experiments" / "some" / "tiny.py"
    experiment = gm_jax.load(f"{path}:paper")
    gm_jax.fit(experiment.replace(**{"training.num_steps": 1}), checkout / "other")
    change(checkout / "other", **{"experiment.training.num_steps": 3})
    assert not is_finished(checkout / "other", experiment)
    with pytest.raises(UserError, match="is not finished: step 1 of 3") as refused:
        measure(checkout / "other")
    assert "(gm-jax train some/tiny:p" in refused.value.shell_line()


def test_a_run_whose_patience_ran_out_is_finished(run):
    experiment = gm_jax.open(run).experiment
    patient = experiment.replace(**{"training.num_steps": 9, "training.patience": 3})
    assert not is_finished(run, patient)
    worse = {**[x for x in lines(run) if x["phase"] == "valid"][-1], "neg_log_prob": 1e9}
    worse["loss"] = 1e9
    with (run / METRICS).open("a") as file:
        file.write(3 * f"{json.dumps(worse)}\n")
    assert is_finished(run, patient)


def test_a_run_of_before_parts_is_taken_as_it_is(run):
    path = run / "experiment.json"
    plain = json.loads(path.read_text())
    (part,) = plain.pop("parts")
    path.write_text(json.dumps({**plain, "commit": "c0ffee", "versions": part["versions"]}))
    text = "".join(
        json.dumps({**x, "time": {k: x["time"][k] for k in ("seconds", "cpu_seconds")}}) + "\n"
        for x in lines(run)
    )
    (run / METRICS).write_text(text)
    _, record = measure(run)
    assert (record.commit, record.machine, record.peak_mib) == ("c0ffee", None, None)


def test_a_seed_is_no_override(run):
    change(run, **{"experiment.seed": 7})
    assert measure(run)[1].seed == 7


def test_minutes_of_an_accelerator_are_told(run):
    change(run, **{"parts.0.machine.accelerators": "4 NVIDIA H200"})
    seconds = max(line["time"]["seconds"] for line in lines(run))
    np.testing.assert_allclose(measure(run)[1].device_minutes, 4 * seconds / 60)


def test_the_command_keeps_the_record_and_makes_the_pages(checkout, file, capsys):
    samples = checkout / RUN / "samples"
    gm_jax.open(checkout / RUN).paint("final", 4)
    assert (samples / "final.png").exists()
    assert cli.dispatch(["record", RUN]) == 0
    said = capsys.readouterr().out
    assert "some/tiny · seed 0 · step 2 · " in said
    assert said.count("page ") == len(PAGES)
    (record,) = read_recorded(file.path)
    assert record.picture == "some-tiny.png"
    assert (checkout / "docs" / "pictures" / "records" / "some-tiny.png").exists()
    assert "`some/tiny`" in (checkout / "docs" / "gallery.md").read_text()
    change(checkout / RUN, **{"experiment.seed": 7})
    assert cli.dispatch(["record", RUN]) == 0
    assert [r.picture for r in read_recorded(file.path)] == ["some-tiny.png", None]


def test_a_run_is_held_against_its_record(checkout, file, capsys):
    with pytest.raises(UserError, match="some/tiny has no record of seed 0 as it stands"):
        cli.dispatch(["record", RUN, "--check"])
    assert cli.dispatch(["record", RUN]) == 0
    text = file.path.with_suffix(".json").read_text()
    capsys.readouterr()
    assert cli.dispatch(["record", RUN, "--check"]) == 0
    said = capsys.readouterr().out
    num = len(read_recorded(file.path)[0].figures)
    assert f"some/tiny · seed 0 · {num} of {num} figures are the same\n" in said

    (record,) = read_recorded(file.path)
    figure = record.figures["bits_per_dim"]
    for deviations, code in ((2.0, 0), (4.0, 1)):
        moved = dataclasses.replace(figure, value=figure.value + deviations * figure.stderr)
        others = {**record.figures, "bits_per_dim": moved}
        keep(dataclasses.replace(record, figures=others), file)
        assert cli.dispatch(["record", RUN, "--check"]) == code
        said = capsys.readouterr().out
        assert f"{deviations:.2g} standard deviations away" in said
        assert f"{num - 1} of {num} figures are the same, {num - code} within 3" in said
    keep(record, file)
    assert file.path.with_suffix(".json").read_text() == text


def test_a_file_that_lies_elsewhere_is_named(checkout, file, tmp_path):
    elsewhere = tmp_path / "mine" / "some" / "tiny.py"
    elsewhere.parent.mkdir(parents=True)
    file.path.rename(elsewhere)
    with pytest.raises(UserError, match="no experiment some/tiny"):
        measure(checkout / RUN)
    assert cli.dispatch(["record", RUN, "--experiment", str(elsewhere)]) == 0
    assert len(read_recorded(elsewhere)) == 1
    assert "`some/tiny`" not in (checkout / "docs" / "results.md").read_text()
    with pytest.raises(UserError, match="a run of some/tiny, not of digits/vae"):
        measure(checkout / RUN, "digits/vae")


def test_samples_are_held_against_the_test_split(run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("gm_jax.results.measure._HELD", (100_000_000, 55))
    monkeypatch.setattr("gm_jax.results.measure._READ", 20)
    monkeypatch.setattr("gm_jax.results.measure._PROBE", 4)
    data = gm_jax.load("some/tiny").data
    model = Classifier(features=(4,), dense=8)
    training = Training(num_steps=1, sample_every=0)
    reader = gm_jax.fit(Experiment(data, model, training, name="some/reader"), tmp_path / "reader")
    record = measure(run, classifier=reader.folder)[1]
    (features,) = {n.partition("@")[2] for n in record.figures if "@" in n}
    assert features.startswith("some/reader-")
    names = {n.partition("@")[0] for n in record.figures if "@" in n}
    assert names == {"fid", "fid_floor", "kid", "precision", "recall", "density", "coverage"}
    assert record.figures[f"fid@{features}"].n == 55  # the first number takes more than a minute
    assert "classes_covered" in record.figures
    monkeypatch.setattr("gm_jax.results.measure._HELD", (100_000_000,))
    record = measure(run, classifier=reader.folder)[1]
    assert not any("@" in name for name in record.figures)
