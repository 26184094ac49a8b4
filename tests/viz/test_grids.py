import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from gm_jax.viz.grids import image_grid, save_png, side_by_side, to_pixels, unit_to_pixels

RNG = np.random.default_rng(0)


def test_levels_fill_the_range_of_pixels():
    assert to_pixels(np.array([0, 8, 16], np.uint8), 17).tolist() == [0, 128, 255]
    assert to_pixels(np.array([0, 1], np.uint8), 2).tolist() == [0, 255]
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_pixels(levels, 256), levels)


def test_unit_values_are_clipped():
    assert unit_to_pixels(np.array([-0.1, 0.0, 0.5, 1.0, 1.2])).tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num", [1, 2, 7, 9])
def test_every_image_is_in_its_cell(num, channels):
    levels = RNG.integers(0, 256, (num, 5, 4, channels)).astype(np.uint8)
    grid = image_grid(levels, 256, num_columns=3, scale=2)
    rows = -(-num // 3)
    assert grid.shape == (rows * 12 + 2, 3 * 10 + 2, channels)
    assert grid.dtype == np.uint8
    for i, image in enumerate(levels):
        top, left = 2 + 12 * (i // 3), 2 + 10 * (i % 3)
        np.testing.assert_array_equal(grid[top : top + 10 : 2, left : left + 8 : 2], image)
        np.testing.assert_array_equal(grid[top + 1 : top + 10 : 2, left + 1 : left + 8 : 2], image)


def test_small_images_are_enlarged_and_large_ones_are_not():
    assert image_grid(np.zeros((4, 8, 8, 1), np.uint8), 17).shape == (2 * 50 + 2, 2 * 50 + 2, 1)
    assert image_grid(np.zeros((1, 64, 64, 3), np.uint8), 256).shape == (68, 68, 3)


@pytest.mark.parametrize("shape", [(0, 8, 8, 1), (8, 8, 1), (2, 8, 8, 0)])
def test_what_is_no_batch_of_images(shape):
    with pytest.raises(ValueError, match="a grid needs images"):
        image_grid(np.zeros(shape, np.uint8), 256)


@pytest.mark.parametrize(("channels", "rows", "columns"), [(2, 1, 2), (5, 2, 3), (16, 4, 4)])
def test_other_channels_are_panels_of_their_own(channels, rows, columns):
    levels = RNG.integers(0, 256, (3, 5, 4, channels)).astype(np.uint8)
    grid = image_grid(levels, 256, num_columns=3, scale=2)
    height, width = rows * 11 - 1, columns * 9 - 1
    assert grid.shape == (height + 4, 3 * (width + 2) + 2, 1)
    for i, image in enumerate(levels):
        for channel in range(channels):
            top = 2 + 11 * (channel // columns)
            left = 2 + i * (width + 2) + 9 * (channel % columns)
            shown = grid[top : top + 10, left : left + 8, 0]
            np.testing.assert_array_equal(shown, image[..., channel].repeat(2, 0).repeat(2, 1))
            below, beside = grid[top + 10, left, 0], grid[top, left + 8, 0]
            # The rest of an image is dark, and the ground is grey.
            right, low = channel % columns == columns - 1, channel // columns == rows - 1
            assert beside == (128 if right else 64)
            assert below == (128 if low else 64)


def test_side_by_side_has_a_row_for_each_array():
    rows = [np.full((5, 8, 8, 1), value, np.uint8) for value in (0, 1)]
    grid = side_by_side(rows, 2)
    assert grid.shape == (2 * 50 + 2, 5 * 50 + 2, 1)
    assert set(grid[2:50].ravel()) == {0, 128}
    assert set(grid[52:100].ravel()) == {255, 128}
    with pytest.raises(ValueError, match="do not line up"):
        side_by_side([rows[0], rows[1][:4]], 2)


def test_png_round_trip_leaves_nothing_else(tmp_path):
    digits = load_digits().images[:20, :, :, None].astype(np.uint8)
    grid = image_grid(digits, 17)
    save_png(tmp_path / "grid.png", grid)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "grid.png")), grid[..., 0])
    colors = grid.repeat(3, axis=2)
    save_png(tmp_path / "grid.png", colors)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "grid.png")), colors)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


def test_a_failed_save_keeps_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    path.write_bytes(b"old")

    def full_disk(self, file, format):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_png(path, np.zeros((4, 4, 3), np.uint8))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_png(tmp_path / "missing" / "grid.png", np.zeros((4, 4, 3), np.uint8))
