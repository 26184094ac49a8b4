import subprocess
import sys
from pathlib import Path

import pytest

from gm_jax.whole_file import replacing, replacing_folder, write_text


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "figures.npz"
    path.write_text("old")
    with replacing(path) as aside:
        assert (aside.parent, aside.suffix) == (tmp_path, ".npz")
        assert not aside.exists()
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "figures.npz"
    path.write_text("old")

    def fail():
        with replacing(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_taken_by_a_folder_leaves_nothing_else(tmp_path):
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"), replacing(tmp_path / "taken") as aside:
        aside.write_text("text")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_a_block_that_wrote_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file"):
        pass
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # renamed last
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from gm_jax.whole_file import replacing, replacing_folder, write_text
for _ in range(200):
    with replacing(Path(sys.argv[1])) as aside:
        aside.write_text(sys.argv[2] * 10_000)
"""


def test_readers_never_see_a_part(tmp_path):
    path = tmp_path / "file"
    path.write_text("a" * 10_000)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, c]) for c in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(path.read_text())
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {"a" * 10_000, "b" * 10_000}
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_whole(tmp_path):
    path = tmp_path / "record.json"
    for text in ("old\n", "new, and ünlike\n"):
        write_text(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "frames"
    for names in (["a", "b"], ["b", "c"]):
        with replacing_folder(folder) as aside:
            for name in names:
                (aside / name).touch()
            assert sorted(p.name for p in folder.glob("*")) in ([], ["a", "b"])
    assert sorted(p.name for p in folder.iterdir()) == ["b", "c"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("where", ["inside", "at the renaming"])
def test_a_failure_keeps_the_old_folder(where, tmp_path, monkeypatch):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "a").touch()
    rename = Path.rename

    def rename_but_the_new(path, target):
        if target == folder and not (path / "a").exists():
            raise OSError(28, "No space left on device")
        return rename(path, target)

    def fill():
        with replacing_folder(folder) as aside:
            (aside / "b").touch()
            if where == "inside":
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", rename_but_the_new)
    with pytest.raises(OSError, match="No space left"):
        fill()
    assert [p.name for p in folder.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [folder]
