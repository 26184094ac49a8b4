import numpy as np
import pytest
from PIL import Image

from gm_jax.errors import UserError
from gm_jax.viz.animation import animate_pictures, save_animation, there_and_back
from gm_jax.viz.grids import save_png

RNG = np.random.default_rng(0)


def pictures(folder, values, sizes, channels=1):
    paths = []
    for i, (value, size) in enumerate(zip(values, sizes, strict=True)):
        paths.append(folder / f"step_{i}.png")
        save_png(paths[-1], np.full((size, size, channels), value, np.uint8))
    return paths


def shown(path):
    """The frames of a GIF as RGB arrays, and how long each is shown in milliseconds."""
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        frames, durations = [], []
        for i in range(gif.n_frames):
            gif.seek(i)
            durations.append(gif.info["duration"])
            frames.append(np.asarray(gif.convert("RGB")))
    return frames, durations


def test_frames_in_their_order(tmp_path):
    values = [0, 100, 200, 255]
    paths = pictures(tmp_path, values, [20, 20, 10, 20])
    out = tmp_path / "progress.gif"
    animate_pictures(paths, out, seconds=0.2)
    frames, durations = shown(out)
    assert [f.shape for f in frames] == [(20, 20, 3)] * 4
    assert [f[5, 5].tolist() for f in frames] == [[v, v, v] for v in values]
    assert durations == [200, 200, 200, 1000]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [out.name, *(p.name for p in paths)]
    )


def test_grey_and_colored_pictures_in_one_animation(tmp_path):
    paths = pictures(tmp_path, [0, 255], [8, 8])
    save_png(tmp_path / "color.png", np.tile(np.array([200, 30, 30], np.uint8), (8, 8, 1)))
    animate_pictures([*paths, tmp_path / "color.png"], tmp_path / "a.gif")
    frames, _ = shown(tmp_path / "a.gif")
    for frame, wanted in zip(frames, [[0] * 3, [255] * 3, [200, 30, 30]], strict=True):
        np.testing.assert_allclose(frame[3, 3], wanted, atol=2)


def test_grey_stays_exact(tmp_path):
    frames = list(RNG.integers(0, 256, (3, 12, 9, 1), np.uint8))
    save_animation(tmp_path / "a.gif", frames, [0.1, 0.1, 0.1])
    for got, frame in zip(shown(tmp_path / "a.gif")[0], frames, strict=True):
        np.testing.assert_array_equal(got, frame.repeat(3, axis=2))


def test_colors_come_from_all_frames_and_still_areas_stay_still(tmp_path):
    colors = [(230, 20, 20), (20, 230, 20), (20, 20, 230)]
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    still = np.stack(np.broadcast_arrays(ramp[:, None], ramp, np.uint8(90)), axis=-1)
    frames = [np.concatenate([still, np.full((32, 32, 3), c, np.uint8)]) for c in colors]
    save_animation(tmp_path / "a.gif", frames, [0.1] * 3)
    got, _ = shown(tmp_path / "a.gif")
    for g, color in zip(got, colors, strict=True):
        np.testing.assert_allclose(g[40, 5], color, atol=12)
        np.testing.assert_array_equal(g[:32], got[0][:32])
        assert np.abs(g[:32].astype(int) - still).mean() < 12


def test_there_and_back():
    frames = list(RNG.integers(0, 256, (4, 2, 2, 1), np.uint8))
    loop, seconds = there_and_back(frames, 0.1)
    for got, i in zip(loop, [0, 1, 2, 3, 2, 1], strict=True):
        np.testing.assert_array_equal(got, frames[i])
    assert seconds == [0.5, 0.1, 0.1, 0.5, 0.1, 0.1]
    assert there_and_back(frames[:2], 0.1)[1] == [0.5, 0.5]


def test_no_pictures(tmp_path):
    with pytest.raises(ValueError, match="at least one picture"):
        animate_pictures([], tmp_path / "progress.gif")


@pytest.mark.parametrize("whole", [False, True])
def test_an_unreadable_picture_leaves_the_old_animation(tmp_path, whole):
    out = tmp_path / "progress.gif"
    out.write_bytes(b"old")
    save_png(tmp_path / "broken.png", RNG.integers(0, 256, (64, 64, 1), np.uint8))
    data = (tmp_path / "broken.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(data[: len(data) // 2] if whole else b"no picture")
    with pytest.raises(UserError, match=r"broken\.png is no picture that can be read: remove it"):
        animate_pictures([tmp_path / "broken.png"], out)
    with pytest.raises(FileNotFoundError):
        animate_pictures([tmp_path / "gone.png"], out)
    assert out.read_bytes() == b"old"
