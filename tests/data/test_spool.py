"""Records that survive an interruption."""

import numpy as np
import pytest

from gm_jax.data.store.making import remove_others, resumable
from gm_jax.data.store.spool import Spool
from gm_jax.errors import UserError


def records(num):
    rng = np.random.default_rng(0)
    return {f"{i}\n\udcff.png": rng.bytes(int(rng.integers(0, 50))) for i in range(num)}


def fill(folder, wanted):
    with Spool(folder) as spool:
        for name, record in wanted.items():
            if name not in spool:
                spool.add(name, record, {"length": len(record)})


def check(folder, wanted):
    with Spool(folder) as spool:
        assert {name: spool.read(name) for name, _ in spool.notes()} == wanted
        assert all(note == {"length": len(wanted[name])} for name, note in spool.notes())
        assert len(spool) == len(wanted)


def test_what_is_added_is_there_again(tmp_path):
    wanted = records(20)
    fill(tmp_path, dict(list(wanted.items())[:9]))
    fill(tmp_path, wanted)
    check(tmp_path, wanted)


def test_reading_between_does_not_matter(tmp_path):
    wanted = records(6)
    with Spool(tmp_path) as spool:
        for name, record in wanted.items():
            spool.add(name, record, {"length": len(record)})
            first = next(iter(wanted))
            assert spool.read(first) == wanted[first]
    check(tmp_path, wanted)


@pytest.mark.parametrize("file", ["records", "journal.jsonl"])
def test_cut_anywhere_the_whole_ones_are_left(tmp_path, file):
    wanted = records(12)
    fill(tmp_path, wanted)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for end in range(0, len(whole[file]), 7):
        for name, content in whole.items():
            (tmp_path / name).write_bytes(content[:end] if name == file else content)
        with Spool(tmp_path) as spool:
            left = dict(list(wanted.items())[: len(spool)])
            assert {name: spool.read(name) for name, _ in spool.notes()} == left
        fill(tmp_path, wanted)
        check(tmp_path, wanted)


def work(target, error):
    """Begins something, and is stopped."""
    with resumable(target, "a-1") as folder:
        (folder / "done").write_text("1")
        raise error


class TestResumable:
    def test_it_is_there_again_after_an_interruption(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, KeyboardInterrupt())
        with resumable(tmp_path, "a-1") as again:
            assert (again / "done").read_text() == "1"
        assert not list(tmp_path.iterdir())

    def test_what_is_refused_leaves_nothing(self, tmp_path):
        with pytest.raises(UserError):
            work(tmp_path, UserError("no"))
        assert not list(tmp_path.iterdir())

    def test_two_at_once_do_not_meet(self, tmp_path):
        with resumable(tmp_path, "a-1") as one, resumable(tmp_path, "a-1") as other:
            assert one != other
            assert not list(other.iterdir())
        assert not list(tmp_path.iterdir())

    def test_that_of_files_that_have_changed_since_is_removed(self, tmp_path):
        with pytest.raises(KeyboardInterrupt), resumable(tmp_path, "mine-abc-1"):
            raise KeyboardInterrupt
        (tmp_path / "image_folder" / "mine-abc-2").mkdir(parents=True)
        remove_others(tmp_path / "image_folder" / "mine-abc-2")
        assert [p.name for p in tmp_path.iterdir()] == ["image_folder"]
