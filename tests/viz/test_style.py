import numpy as np
import pytest

from gm_jax.errors import UserError
from gm_jax.viz.animation import animate_pictures
from gm_jax.viz.curves import plot_curves
from gm_jax.viz.grids import image_grid, save_png
from gm_jax.viz.scatter import scatter_picture
from gm_jax.viz.style import LINE, caption, label_grid, text_width, theme

GRID = image_grid(np.zeros((6, 8, 8, 1), np.uint8), 2, num_columns=3)


@pytest.mark.parametrize("channels", [1, 3])
def test_names_stand_beside_a_grid_and_not_on_it(channels):
    grid = GRID.repeat(channels, 2)
    both = label_grid(grid, ["original", "drawn"], ["a", "b", "c"])
    height, width = grid.shape[:2]
    np.testing.assert_array_equal(both[-height:, -width:], grid)
    assert both.shape == (height + LINE, width + text_width("original") + 8, channels)
    left, top = both[-height:, :-width, 0], both[:LINE, -width:, 0]
    for part in (left[: height // 2], left[height // 2 :], *np.array_split(top, 3, axis=1)):
        assert part.min() < 100  # ink
        assert part.max() == 255
    np.testing.assert_array_equal(label_grid(grid), grid)


def test_a_caption_stands_below():
    captioned = caption(GRID, "step 500")
    np.testing.assert_array_equal(captioned[:-LINE], GRID)
    assert captioned[-LINE:].min() < 100
    assert (caption(GRID, "step 1,000") != captioned).any()


def test_frames_of_an_animation_have_captions(tmp_path):
    from PIL import Image

    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path in paths:
        save_png(path, GRID)
    animate_pictures(paths, tmp_path / "a.gif", captions=["step 1", "step 2"])
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2  # two that are alike but for their step
        assert gif.height == len(GRID) + LINE


def test_light_and_dark(monkeypatch, tmp_path):
    points = np.random.default_rng(0).normal(size=(9, 2))
    assert scatter_picture(points, points)[0, 0].tolist() == [255] * 3
    monkeypatch.setenv("GM_JAX_THEME", "dark")
    paper, ink = theme().paper, theme().ink
    assert paper < 50 < 200 < ink
    assert scatter_picture(points, points)[0, 0].tolist() == [paper] * 3
    labelled = label_grid(GRID, columns=["samples"])
    assert (labelled[0, 0], labelled[:LINE].max()) == (paper, ink)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "phase": "train", "loss": 1.0}\n')
    plot_curves([tmp_path / "metrics.jsonl"], tmp_path / "curves.png")
    from PIL import Image

    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.convert("L").getpixel((0, 0)) == paper
    monkeypatch.setenv("GM_JAX_THEME", "pink")
    with pytest.raises(UserError, match="GM_JAX_THEME must be light or dark, not pink"):
        theme()
