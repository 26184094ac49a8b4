"""What is trained for records, cheapest first."""

from pathlib import Path

import pytest

from gm_jax.experiment_file import ExperimentFile
from gm_jax.results.plan import Budget, expected, plan, reader_name, run_folder
from gm_jax.results.record import keep

RUNS = Path("runs")


def made(name, doc="", **variants):
    return ExperimentFile(name, Path("nowhere") / f"{name}.py", doc, variants)


FILES = [
    made("mnist/classifier", "Budget: 30 core-minutes"),
    made("mnist/vae", "Budget: 5 core-minutes", reference="", paper="Budget: 9 core-minutes"),
    made("cifar10/ddpm", "What.\n\nBudget: 1,200 device-minutes", small=""),
    made("digits/vae", paper=""),
]


def names(*patterns):
    return [task.name for task in plan(FILES, patterns, (), RUNS)]


def test_cheapest_first_and_a_reader_before_those_it_reads():
    assert names() == [
        "digits/vae",
        "digits/vae:paper",
        "mnist/classifier",
        "mnist/vae",
        "mnist/vae:paper",
        "cifar10/ddpm:small",
        "mnist/vae:reference",
        "cifar10/ddpm",
    ]


def test_patterns_choose():
    assert names("mnist/vae*") == ["mnist/vae", "mnist/vae:paper", "mnist/vae:reference"]
    assert names("digits/vae", "cifar10/*:small") == ["digits/vae", "cifar10/ddpm:small"]
    assert names("nothing") == []


def test_data_of_ones_own_only_where_they_are_named():
    files = [*FILES, made("arrays/vae"), made("points/gmm")]
    assert [task.name for task in plan(files, (), (), RUNS)] == names()
    assert [task.name for task in plan(files, ["*/gmm"], (), RUNS)] == ["points/gmm"]


def test_a_run_for_each_seed():
    tasks = plan(FILES, ["digits/vae"], (0, 2), RUNS)
    assert [(t.seed, str(t.folder)) for t in tasks] == [
        (0, "runs/digits/vae"),
        (2, "runs/digits/vae-seed-2"),
    ]
    assert run_folder(RUNS, "mnist/vae:paper", None) == Path("runs/mnist/vae-paper")
    assert reader_name("mnist/vae:paper") == "mnist/classifier"


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("mnist/vae", Budget(5, False)),
        ("mnist/vae:reference", Budget(60, False)),
        ("mnist/vae:paper", Budget(9, False)),
        ("cifar10/ddpm", Budget(1200, True)),
        ("digits/vae", Budget(15, False)),
        ("digits/vae:paper", Budget(15, True)),
    ],
)
def test_budgets_are_declared_or_by_custom(name, budget):
    (file,) = (f for f in FILES if f.name == name.partition(":")[0])
    assert expected(file, name) == budget


def test_what_was_recorded_tells_more(file, record):
    keep(record(), file)
    keep(record("some/tiny:paper", device_minutes=7.0), file)
    assert expected(file, "some/tiny") == Budget(1.23457, False)
    assert expected(file, "some/tiny:paper") == Budget(7.0, True)
