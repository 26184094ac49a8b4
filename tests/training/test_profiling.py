"""Which steps are traced, and that a trace is there after them."""

import gzip
import json

import jax
import jax.numpy as jnp
import pytest

from gm_jax.errors import UserError
from gm_jax.training.profiling import Steps, parse_steps, profiling


@pytest.mark.parametrize("text", ["5", "a:b", "0:3", "7:6", "1:21", "-1:4", ""])
def test_steps_that_are_not_there(text):
    with pytest.raises(UserError, match="steps to trace"):
        parse_steps(text, 20)


def test_steps_are_read():
    assert parse_steps("100:110", 110) == Steps(100, 110)


@pytest.mark.parametrize(("begin", "size", "traced"), [(0, 1, [3, 4]), (3, 1, [4]), (0, 3, [3, 6])])
def test_the_trace_holds_the_dispatches_with_the_steps(tmp_path, monkeypatch, begin, size, traced):
    step, seen = begin, []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda *_, **__: seen.append("begins"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: seen.append("ends"))
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "perfetto_trace.json.gz").touch()
    with profiling(Steps(3, 4), tmp_path, begin) as profiler:
        while step < 9:
            profiler.before(step, size)
            step += size
            seen.append(step)
            profiler.after(step, None)
    assert seen[seen.index("begins") + 1 : seen.index("ends")] == traced
    assert seen.count("begins") == seen.count("ends") == 1


def test_a_run_past_the_steps_is_told(tmp_path, capsys):
    with profiling(Steps(3, 4), tmp_path, 4) as profiler:
        profiler.before(4, 1)
        profiler.after(5, None)
    assert "nothing is traced: the run is at step 4" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_what_is_interrupted_is_written(tmp_path, capsys):
    def interrupted():
        with profiling(Steps(1, 9), tmp_path, 0) as profiler:
            profiler.before(0, 1)
            jax.jit(lambda x: jnp.sin(x).sum())(jnp.ones(3)).block_until_ready()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (trace,) = tmp_path.rglob("perfetto_trace.json.gz")
    assert json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    assert f"trace in {trace}" in capsys.readouterr().out
