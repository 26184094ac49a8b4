"""Grids of trainings: what is typed, what is trained, what is told at the end."""

import json
import re
from pathlib import Path

import pytest

import gm_jax
from gm_jax import cli
from gm_jax.cli.sweeps.grid import short_names, split_typed, split_value
from gm_jax.cli.sweeps.outcome import DONE, Outcome, is_done, tell
from gm_jax.cli.sweeps.processes import Processes
from gm_jax.cli.train import Train
from gm_jax.errors import UserError
from gm_jax.training.records import spent

TINY = (
    "--training.num-steps 2 --training.log-every 1 --training.sample-every 0 --data.batch-size 8 "
    "--data.limit 24 --model.coder.hidden 4 --evaluation.num-samples 0"
)


def trained(capsys, typed, code=0):
    """What a command printed that ended with a code."""
    with pytest.raises(SystemExit) as stop:
        cli.main(typed)
    printed = capsys.readouterr()
    assert stop.value.code == code, printed.err
    return printed


def planned(*typed):
    """The trainings of a command line, none of which is started."""
    return Train.parsed("train", typed).trials


def closing_table(out):
    """Rows of the last table: its cells, and which failed."""
    lines = out.splitlines()
    (first,) = [i for i, line in enumerate(lines) if re.match(r"sweep .* core-min ", line)]
    (last,) = [i for i, line in enumerate(lines) if line.startswith("next      gm-jax report")]
    ends = [i for i, line in enumerate(lines) if line.startswith("failed ")] or [last]
    rows = [re.split(r" {2,}", line[10:]) for line in lines[first : ends[0]]]
    return rows, lines[ends[0] : last]


@pytest.mark.slow
def test_a_grid_with_a_failure_and_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    typed = ["digits/ae", *TINY.split(), "--sweep", "model.latent-dim=2"]
    typed += ["--sweep", "model.optimizer.learning-rate=1e30,1e-3"]
    told = trained(capsys, ["train", *typed], code=2)
    names = [f"ae-latent-dim-2-learning-rate-{rate}" for rate in ("1e30", "1e-3")]
    assert sorted(p.name for p in Path("runs/digits").iterdir()) == sorted(names)
    rows, failed = closing_table(told.out)
    assert rows[0] == ["latent-dim", "learning-rate", "mse", "core-min", "run"]
    assert [row[2] == "failed" for row in rows[1:]] == [True, False]
    assert [row[-1] for row in rows[1:]] == [f"runs/digits/{name}" for name in names]
    last = json.loads((Path(rows[2][-1]) / "metrics.jsonl").read_text().splitlines()[-1])
    assert rows[2][2] == f"{last['mse']:.4f} ± {last['stderr']['mse']:.4f}"
    (failure,) = failed
    assert "runs/digits/ae-latent-dim-2-learning-rate-1e30: step 2 gave" in failure
    assert told.err.count("error: step 2 gave") == 1

    # Again, in processes: what is done is not done again, and what failed is tried.
    again = trained(capsys, ["train", *typed, "--jobs", "2"], code=2)
    assert again.out.count("done before") == 1
    assert closing_table(again.out) == (rows, failed)
    assert re.search(r"^1  +error: step 2 gave", again.out, re.MULTILINE)
    # With another number of steps it is another training.
    assert [is_done(t) for t in planned(*typed)] == [False, True]
    assert [is_done(t) for t in planned(*typed, "--training.num-steps", "3")] == [False, False]


def test_a_sweep_ends_with_a_page_of_what_was_trained(capsys):
    trials = planned("digits/ae", "--sweep", "seed=1,2,3", "--run", "r s/x")
    assert tell(trials, [DONE, Outcome(2, "no"), DONE]) == 2
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "next      gm-jax report 'r s/x-seed-1' 'r s/x-seed-3'"


def test_values_that_are_lists():
    experiment = gm_jax.load("digits/vae")
    assert split_value(experiment, "model.coder.hidden", "32 64") == ["32", "64"]
    assert split_value(experiment, "model.coder.hidden", "32+64") == ["32", "64"]
    assert split_value(experiment, "model.likelihood", "a b+c") == ["a b+c"]
    assert split_value(experiment, "model.beta", "1e+2") == ["1e+2"]
    trials = planned("digits/vae", "--sweep", "model.coder.hidden=32 32, 64", "--run", "r/x")
    assert [t.training.experiment.model.coder.hidden for t in trials] == [(32, 32), (64,)]
    assert [t.folder for t in trials] == [Path("r/x-hidden-32+32"), Path("r/x-hidden-64")]


def test_what_each_is_trained_with_alone():
    first, second = planned(
        *("digits/gan", "--sweep", "model.generator-optimizer.learning-rate=1e-3,1e-4"),
        *("--seed", "3", "--sweep=model.latent-dim=2", "--jobs", "1e0"),
    )
    assert first.folder == Path(
        "runs/digits/gan-generator-optimizer-learning-rate-1e-3-latent-dim-2"
    )
    alone = Train.parsed("train", second.args)
    assert alone.run == second.folder
    assert alone.experiment == second.training.experiment
    assert alone.experiment.seed == 3


def test_a_sweep_over_a_switch():
    trials = planned("digits/arm_pixelcnn", "--sweep=model.gated=true,false")
    assert [t.training.experiment.model.gated for t in trials] == [True, False]


def test_names_are_as_short_as_the_experiment_allows():
    paths = ["model.a.rate", "model.b.rate", "model.num_steps", "training.steps"]
    fields = ["model.a.rate", "model.num-steps", "model.nonesuch"]
    assert short_names(fields, paths) == ["a-rate", "num-steps", "model-nonesuch"]


@pytest.mark.parametrize(
    ("sweeps", "words"),
    [
        (["seed=1", "seed=2"], "names seed twice"),
        (["model.beta=0.5,5e-1"], "one training of beta = 0.5 and beta = 5e-1"),
        (["jobs=1,2"], "not over --jobs"),
    ],
)
def test_sweeps_that_make_no_sense(sweeps, words):
    with pytest.raises(UserError, match=words):
        planned("digits/vae", *(f"--sweep={sweep}" for sweep in sweeps))


def test_what_is_typed_for_a_sweep_is_taken_out():
    typed = split_typed(["--seed", "-1", "--sweep", "a=1", "--jobs=2", "--x", "--sweep=b=2"])
    assert typed == (["a=1", "b=2"], 2, ["--seed", "-1", "--x"])


def test_a_signal_stops_all_and_starts_no_more(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trials = planned("digits/ae", "--sweep", "seed=1,2", "--run", "r")
    processes = Processes(trials, jobs=1)
    processes._stop(15)
    assert [o.code for o in processes.run()] == [143, 143]
    assert not list(tmp_path.iterdir())


def test_processor_time_of_a_run_in_parts():
    times = [1.0, 3.0, 2.0, 5.0, 0.5]
    assert spent([{"time": {"cpu_seconds": t}} for t in times]).cpu_seconds == 3.0 + 5.0 + 0.5
    assert spent([{"time": {"seconds": 1.0}}]) == (1.0, 0.0, None)
    assert spent([]).cpu_seconds == 0.0
