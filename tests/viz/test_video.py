"""The .mp4 branch, with stand-ins for ffmpeg: none is needed to run the tests."""

import itertools
import json
import sys

import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.viz.animation import check_animation, save_animation

RECORDS = """
import json, pathlib, sys
data = sys.stdin.buffer.read()
here = pathlib.Path(__file__).parent
(here / "arguments.json").write_text(json.dumps(sys.argv[1:]))
(here / "pixels").write_bytes(data)
pathlib.Path(sys.argv[-1]).write_bytes(b"a video")
"""
FAILS = """
import pathlib, sys
pathlib.Path(sys.argv[-1]).write_bytes(b"half")
print("some warning\\nUnknown encoder 'libx264'", file=sys.stderr)
sys.exit(1)
"""


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """Puts a program of this text on PATH, alone; returns its folder."""

    def install(text):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "ffmpeg").write_text(f"#!{sys.executable}\n{text}")
        (folder / "ffmpeg").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return install


@pytest.mark.parametrize("channels", [1, 3])
def test_what_ffmpeg_is_given(tmp_path, ffmpeg, channels):
    folder = ffmpeg(RECORDS)
    frames = list(np.random.default_rng(0).integers(0, 256, (3, 5, 8, channels), np.uint8))
    (tmp_path / "a b").mkdir()
    out = tmp_path / "a b" / "x;y.mp4"
    save_animation(out, frames, [0.3, 0.3, 1.5])
    assert out.read_bytes() == b"a video"
    assert list(out.parent.iterdir()) == [out]
    arguments = json.loads((folder / "arguments.json").read_text())
    pairs = dict(itertools.pairwise(arguments))
    given, wanted = arguments[: arguments.index("-i")], arguments[arguments.index("-i") :]
    assert (pairs["-s"], pairs["-i"], float(pairs["-framerate"])) == ("8x6", "-", 10.0)
    assert given[given.index("-pix_fmt") + 1] == "rgb24"
    assert wanted[wanted.index("-pix_fmt") + 1] == "yuv420p"
    # Each frame three times at 10 a second, which is 0.3 s, and the last one 1.5 s.
    pixels = np.frombuffer((folder / "pixels").read_bytes(), np.uint8).reshape(-1, 6, 8, 3)
    assert len(pixels) == 3 + 3 + 15
    for i, frame in zip([0, 2, 3, 6, 20], [0, 0, 1, 2, 2], strict=True):
        np.testing.assert_array_equal(pixels[i, :5], np.broadcast_to(frames[frame], (5, 8, 3)))
        np.testing.assert_array_equal(pixels[i, 5], pixels[i, 4])


def test_fast_frames_are_not_copied(tmp_path, ffmpeg):
    folder = ffmpeg(RECORDS)
    save_animation(tmp_path / "x.mp4", [np.zeros((2, 2, 3), np.uint8)] * 2, [0.04, 0.08])
    arguments = json.loads((folder / "arguments.json").read_text())
    assert float(arguments[arguments.index("-framerate") + 1]) == 25.0
    assert (folder / "pixels").stat().st_size == 3 * 2 * 2 * 3


def test_ffmpeg_missing_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "x.mp4"
    words = r"x\.mp4 needs the program ffmpeg, which is not there: give a \.gif instead"
    with pytest.raises(UserError, match=words):
        check_animation(out)
    with pytest.raises(UserError, match=words):
        save_animation(out, [np.zeros((2, 2, 1), np.uint8)], [0.1])
    check_animation(tmp_path / "x.gif")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FAILS, r"x\.mp4 \(Unknown encoder 'libx264'\): give a \.gif instead"),
        ("import sys\nsys.exit(3)", r"\(exit code 3\)"),
        ("import sys\nsys.stdin.buffer.read()", r"\(exit code 0\)"),  # it wrote nothing
    ],
)
def test_its_last_words_where_it_fails(tmp_path, ffmpeg, text, words):
    ffmpeg(text)
    out = tmp_path / "x.mp4"
    out.write_bytes(b"old")
    # More than a pipe holds, so that writing to a program that has ended fails.
    frames = [np.zeros((400, 400, 3), np.uint8)] * 3
    with pytest.raises(UserError, match=words):
        save_animation(out, frames, [0.1] * 3)
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "x.mp4"]
