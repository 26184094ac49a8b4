import numpy as np
import pytest
from PIL import Image

from gm_jax.viz.animation import progress_gif
from gm_jax.viz.grids import save_png


def pictures(folder, values, sizes):
    paths = []
    for i, (value, size) in enumerate(zip(values, sizes, strict=True)):
        paths.append(folder / f"step_{i}.png")
        save_png(paths[-1], np.full((size, size, 1), value, np.uint8))
    return paths


def test_frames_in_their_order(tmp_path):
    values = [0, 100, 200, 255]
    paths = pictures(tmp_path, values, [20, 20, 10, 20])
    out = tmp_path / "progress.gif"
    progress_gif(paths, out, seconds=0.2)
    with Image.open(out) as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (4, (20, 20), 0)
        durations = []
        for i, value in enumerate(values):
            gif.seek(i)
            durations.append(gif.info["duration"])
            assert abs(int(np.asarray(gif.convert("L"))[5, 5]) - value) <= 3
    assert durations == [200, 200, 200, 1000]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [out.name, *(p.name for p in paths)]
    )


def test_no_pictures(tmp_path):
    with pytest.raises(ValueError, match="at least one picture"):
        progress_gif([], tmp_path / "progress.gif")


def test_an_unreadable_picture_leaves_the_old_animation(tmp_path):
    out = tmp_path / "progress.gif"
    out.write_bytes(b"old")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(OSError, match="broken"):
        progress_gif([tmp_path / "broken.png"], out)
    assert out.read_bytes() == b"old"
