import json
import math

import numpy as np
import pytest

from gm_jax.evaluation.figure import Figure
from gm_jax.training.records import Records, by_phase, read_records, spent


def lines(folder):
    """The record without what differs between two runs."""
    return [
        {k: v for k, v in r.items() if k != "time"} for r in read_records(folder / "metrics.jsonl")
    ]


def write_steps(records, steps):
    for step in steps:
        records.write(step, "train", {"loss": 1 / step})
        if step % 4 == 0:
            records.write(step, "valid", {"loss": 2 / step, "bits_per_dim": 3.0})


def test_one_object_a_line(tmp_path):
    with Records(tmp_path) as records:
        records.write(3, "train", {"loss": np.float32(0.5), "accuracy": 1})
        # Readable at once, not only when the record is closed.
        (record,) = read_records(tmp_path / "metrics.jsonl")
    spent = record.pop("time")
    assert record == {"step": 3, "phase": "train", "loss": 0.5, "accuracy": 1}
    assert spent["seconds"] >= 0
    assert spent["cpu_seconds"] >= 0


def test_figures_that_are_not_finite_are_valid_json(tmp_path):
    with Records(tmp_path) as records:
        records.write(1, "train", {"a": float("nan"), "b": float("inf"), "c": np.float32("-inf")})

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    text = (tmp_path / "metrics.jsonl").read_text()
    record = json.loads(text, parse_constant=refuse)
    assert (record["a"], record["b"], record["c"]) == ("nan", "inf", "-inf")


@pytest.mark.parametrize("resume_step", [0, 4, 6, 12])
def test_a_resumed_record_equals_the_straight_one(tmp_path, resume_step):
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    straight.mkdir()
    resumed.mkdir()
    with Records(straight, resume_step=0) as records:
        write_steps(records, range(1, 13))
    with Records(resumed, resume_step=0) as records:
        write_steps(records, range(1, 13))
        records.write(12, "test", {"loss": 0.1})
    with Records(resumed, resume_step=resume_step) as records:
        write_steps(records, range(resume_step + 1, 13))
    assert lines(resumed) == lines(straight)
    assert sorted(p.name for p in resumed.iterdir()) == ["metrics.jsonl"]


@pytest.mark.parametrize("resume_step", [None, 2])
@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_cut_short_by_a_kill_is_mended(tmp_path, resume_step, cut):
    with Records(tmp_path) as records:
        write_steps(records, (1, 2, 3))
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text()[:-cut])
    whole = [1, 2, 3] if cut == 1 else [1, 2]  # 1: only the end of the line is missing
    assert [r["step"] for r in lines(tmp_path)] == whole
    with Records(tmp_path, resume_step=resume_step) as records:
        records.write(9, "train", {"loss": 0.0})
    kept = [step for step in whole if resume_step is None or step <= resume_step]
    assert [r["step"] for r in lines(tmp_path)] == [*kept, 9]


def test_without_resuming_only_adds(tmp_path):
    for step in (5, 1):
        with Records(tmp_path) as records:
            records.write(step, "test", {"loss": 1.0})
    assert [r["step"] for r in lines(tmp_path)] == [5, 1]


def test_no_record_has_no_lines(tmp_path):
    assert read_records(tmp_path / "metrics.jsonl") == []


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Records(tmp_path / "missing")


def test_what_the_parts_of_a_run_took_together(tmp_path):
    with Records(tmp_path, resume_step=0) as records:
        write_steps(records, (1, 2))
    with Records(tmp_path, resume_step=1) as records:
        write_steps(records, (2, 3))
    with Records(tmp_path) as records:
        records.write(3, "test", {"loss": 0.1})
    rows = read_records(tmp_path / "metrics.jsonl")
    assert [row["time"]["part"] for row in rows] == [0, 1, 1, 2]
    for row, seconds in zip(rows, (9.0, 10.0, 11.0, 0.5), strict=True):  # 10 is no going on
        row["time"] |= {"seconds": seconds, "cpu_seconds": 2 * seconds}
    rows[1]["time"]["peak_mib"] = 10**6
    assert spent(rows) == (20.5, 41.0, 10**6)


def test_figures_of_a_split_say_how_sure_they_are(tmp_path):
    with Records(tmp_path) as records:
        figures = {"loss": Figure(0.5, "error", 30, 0.1), "odd": Figure(1.0, "error", 30, math.nan)}
        records.write_split(4, "test", figures)
    (row,) = read_records(tmp_path / "metrics.jsonl")
    assert (row["loss"], row["n"]) == (0.5, 30)
    assert row["stderr"] == {"loss": 0.1, "odd": "nan"}
    assert set(by_phase([row])["test"]) == {"step", "loss", "odd"}
