"""Folders that are there whole or not at all, also where several processes make the same one."""

import pytest

from gm_jax.data.store import threads
from gm_jax.data.store.making import making


def make(folder, text, is_made, meanwhile=lambda: None):
    with making(folder, "set/one", is_made) as aside:
        (aside / "set" / "one").mkdir(parents=True)
        (aside / "set" / "one" / "file").write_text(text)
        assert not (folder / "set" / "one").exists()
        meanwhile()


def test_what_is_made_is_there_at_the_end_and_nothing_else(tmp_path):
    make(tmp_path, "mine", lambda: False)
    assert (tmp_path / "set" / "one" / "file").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_the_first_process_wins(tmp_path):
    make(tmp_path, "late", lambda: True, lambda: make(tmp_path, "first", lambda: False))
    assert (tmp_path / "set" / "one" / "file").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_what_is_in_the_way_and_is_not_it_is_an_error(tmp_path):
    (tmp_path / "set" / "one").mkdir(parents=True)
    (tmp_path / "set" / "one" / "other").write_text("")

    with (
        pytest.raises(OSError, match="not empty"),
        making(tmp_path, "set/one", lambda: False) as aside,
    ):
        (aside / "set" / "one").mkdir(parents=True)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(threads.time, "monotonic", lambda: now[0])
    with threads.progress_bar("mine", 2000, 500) as advance:
        for second in (10, 29, 31, 40, 62):
            now[0] = float(second)
            advance(100)
    assert capsys.readouterr().err == (
        "preparing mine: 800 of 2,000\npreparing mine: 1,000 of 2,000\n"
    )


def test_work_in_threads_keeps_its_order():
    assert list(threads.map_in_threads(lambda x: x * x, range(500))) == [x * x for x in range(500)]
    assert threads.num_threads() in range(4, 17)
