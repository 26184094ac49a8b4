"""Images of one's own that are no squares, in TIFF, of 16 bits, or of formats that are not read."""

import dataclasses
import functools
import hashlib
import io

import chex
import jax
import numpy as np
import pytest
import tyro
from PIL import Image, features

from gm_jax.data import AspectCrop, DataSpec, ImageData, ImageFolder, Resize
from gm_jax.data.images import preparation
from gm_jax.data.images.single import read_images
from gm_jax.data.images.squares import decode_box, has_16_bits
from gm_jax.data.pixels import largest_box
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_file import load
from gm_jax.experiment_json import from_plain, to_plain
from gm_jax.models.vae import VAE
from gm_jax.rng import rngs_from_seed

WHITE = (255, 255, 255)
RNG = np.random.default_rng(0)


def colour(height=40, width=30):
    small = RNG.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def encoded(image, kind="png", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def fill(folder, num=12):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        Image.fromarray(colour(30 + i, 50 - i)).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture
def folder(tmp_path, no_data):
    return fill(tmp_path / "mine")


class TestBoxes:
    @pytest.mark.parametrize("rows", [1, 2, 7, 48, 100])
    @pytest.mark.parametrize("columns", [1, 3, 64, 99])
    @pytest.mark.parametrize("wanted", [(1, 1), (3, 4), (48, 64), (5, 1)])
    def test_the_largest_of_the_proportions(self, rows, columns, wanted):
        """Of all boxes that fit, none larger is as near to the proportions."""
        height, width = largest_box(rows, columns, *wanted)
        assert 1 <= height <= rows
        assert 1 <= width <= columns
        assert height == rows or width == columns
        if wanted == (1, 1):
            assert height == width == min(rows, columns)
        # The other side is the nearest whole number.
        sides = rows * wanted[1] / wanted[0], columns * wanted[0] / wanted[1]
        if height == rows:
            assert width == max(1, round(sides[0]))
        else:
            assert height == max(1, round(sides[1]))

    @pytest.mark.parametrize("shape", [(40, 30), (30, 80), (48, 64), (1, 1), (3, 200)])
    def test_decoded_is_the_middle_resized(self, shape):
        image = Image.fromarray(colour(*shape))
        rows, columns = largest_box(*shape, 12, 16)
        left, top = (shape[1] - columns) // 2, (shape[0] - rows) // 2
        cut = image.crop((left, top, left + columns, top + rows))
        expected = np.asarray(cut.resize((16, 12), Image.Resampling.BILINEAR))
        made = decode_box(encoded(image), (12, 16), True, WHITE)
        np.testing.assert_array_equal(np.broadcast_to(made, (12, 16, 3)), expected)
        squeezed = np.asarray(image.resize((16, 12), Image.Resampling.BILINEAR))
        made = decode_box(encoded(image), (12, 16), False, WHITE)
        np.testing.assert_array_equal(np.broadcast_to(made, (12, 16, 3)), squeezed)

    def test_a_tfds_set_becomes_the_same(self):
        image = colour(50, 31)
        made = decode_box(encoded(Image.fromarray(image)), (12, 16), True, WHITE)
        data = ImageData(size=(12, 16), tfds="celeb_a")
        assert data.transforms == (AspectCrop((12, 16)), Resize((12, 16)))
        batch, spec = image[None], DataSpec(image.shape)
        for transform in data.transforms:
            batch, spec = transform(batch), transform.spec(spec)
            assert batch.shape[1:] == spec.shape
        np.testing.assert_array_equal(batch[0], made)


class TestTiff:
    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
    def test_the_first_page(self, compression):
        pages = [Image.fromarray(colour(16, 16)) for _ in range(3)]
        options = {} if compression is None else {"compression": compression}
        content = encoded(pages[0], "tiff", save_all=True, append_images=pages[1:], **options)
        np.testing.assert_array_equal(decode_box(content, 16, True, WHITE), np.asarray(pages[0]))
        assert not has_16_bits(content)

    @pytest.mark.parametrize("kind", ["png", "tiff"])
    def test_16_bits_of_grey_become_the_upper_8(self, kind):
        levels = np.arange(0, 65536, 1024, np.uint16).reshape(8, 8)
        content = encoded(Image.fromarray(levels), kind)
        np.testing.assert_array_equal(decode_box(content, 8, True, WHITE)[..., 0], levels >> 8)
        assert has_16_bits(content)

    def test_others_have_8_bits(self):
        for kind in ("png", "jpeg", "webp", "gif", "bmp", "tiff"):
            assert not has_16_bits(encoded(Image.fromarray(colour()), kind)), kind
        assert not has_16_bits(encoded(Image.fromarray(colour()).convert("1"), "tiff"))

    @pytest.mark.parametrize("kind", [np.float32, np.int32])
    def test_more_than_16_bits_have_no_levels(self, kind):
        content = encoded(Image.fromarray(np.ones((8, 8), kind)), "tiff")
        with pytest.raises(ValueError, match="more than 16 bits"):
            decode_box(content, 8, True, WHITE)


def test_a_folder_that_is_not_square(folder):
    source = ImageFolder(folder, size=(12, 16))
    assert source.spec == DataSpec((12, 16, 3))
    found = source.open("train+validation+test").load_all()["image"]
    chex.assert_shape(found, (12, 12, 16, 3))
    expected = [decode_box(p.read_bytes(), (12, 16), True, WHITE) for p in folder.iterdir()]
    assert sorted(map(bytes, found)) == sorted(map(bytes, expected))
    one = sorted(folder.iterdir())[0]
    data = ImageData(folder, (12, 16))
    images, said = read_images([one], data, source.spec)
    np.testing.assert_array_equal(images[0], decode_box(one.read_bytes(), (12, 16), True, WHITE))
    assert "the middle, resized to 16x12, as in training" in said[0]
    # A square is a square, however it is written.
    assert ImageFolder(folder, (8, 8)) == ImageFolder(folder, 8)
    assert ImageData(folder, (8, 8)).size == 8


def test_the_order_is_that_of_a_hash(folder):
    """As it always was: TFDS's, of the name with the split's for salt."""
    examples = ImageFolder(folder, size=8).open("train")
    names = [r["file"].decode() for r in examples._records.__getitems__(range(len(examples)))]
    assert names == sorted(names, key=lambda n: hashlib.md5(f"train{n}".encode()).hexdigest())
    assert names != sorted(names)


def test_sizes_in_records_and_commands():
    experiment = Experiment(ImageData(size=(48, 64)), VAE())
    assert from_plain(to_plain(experiment)) == experiment
    assert to_plain(ImageData(size=64))["size"] == 64
    assert ImageData(size=[48, 64]).size == (48, 64)
    assert ImageData(size=(48, 20)).quick().size == (32, 20)
    parse = functools.partial(tyro.cli, Experiment, default=Experiment(ImageData(), VAE()))
    assert parse(args=["--data.size", "48", "64"]).data.size == (48, 64)
    assert parse(args=["--data.size", "48"]).data.size == 48
    for size in ((0, 64), (64, -1)):
        with pytest.raises(ConfigError, match=r"ImageData\.size must be greater than 0"):
            ImageData(size=size)
    with pytest.raises(ConfigError, match=r"ImageData\.size must be a whole number or a tuple"):
        ImageData(size=(1, 2, 3))


@pytest.mark.parametrize("name", ["folder/vae", "folder/dcgan", "folder/ddpm"])
@pytest.mark.parametrize("size", [(48, 64), (17, 23)])
def test_families_take_them(name, size):
    """Updates and samples of any height and width, by their shapes."""
    model, spec = load(name).quick().model, DataSpec((*size, 3))
    batch = {"image": jax.ShapeDtypeStruct((4, *spec.shape), np.uint8)}
    rngs = rngs_from_seed(0)
    state = jax.eval_shape(lambda: model.init(rngs, spec))
    after, _ = jax.eval_shape(model.update, state, batch, rngs)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    sample = jax.eval_shape(lambda s: model.sample(s, rngs, 3), state)
    chex.assert_shape(sample, (3, *spec.shape))


def test_wide_files_and_other_formats_are_said(folder):
    wide = RNG.integers(0, 2**16, (20, 20)).astype(np.uint16)
    Image.fromarray(wide).save(folder / "wide.png")
    Image.fromarray(wide).save(folder / "wide.TIF")
    Image.fromarray(colour()).save(folder / "plain.tiff")
    (folder / "phone.heic").write_bytes(b"?")
    said = ImageFolder(folder, size=8).summary()
    assert ": 15 images, no labels, 2 of 16 bits (the upper 8 are kept: 256 levels), " in said
    assert ", 1 in .heic not read; " in said


def test_a_folder_of_another_format(tmp_path, no_data):
    (tmp_path / "mine").mkdir()
    for name in ("a.heic", "b.HEIC", "c.avif", "notes.txt", ".d.heic"):
        (tmp_path / "mine" / name).write_bytes(b"?")
    with pytest.raises(UserError, match=r"but 1 in \.avif, 2 in \.heic: convert them$") as error:
        ImageFolder(tmp_path / "mine").open("train")
    assert "\n" not in str(error.value)


def test_a_format_that_this_pillow_lacks(folder, monkeypatch):
    Image.fromarray(colour()).save(folder / "a.webp")
    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "webp" and check(name))
    with pytest.raises(UserError, match=r"holds 1 \.webp files, and the Pillow that is") as error:
        ImageFolder(folder, size=8).open("train")
    assert "\n" not in str(error.value)
    assert not list((folder.parent / ".gm_jax").iterdir())
    (folder / "a.webp").unlink()
    assert len(ImageFolder(folder, size=8).open("train")) > 0


def test_an_interrupted_preparation_goes_on(folder, monkeypatch, capsys):
    """Ctrl-C after some images: they are not decoded again, and the result is the same."""
    fill(folder, 30)
    source = ImageFolder(folder, size=8)
    decode, seen = preparation._decoded, []

    def interrupted(content, recipe):
        seen.append(content)
        if len(seen) > 25:
            raise KeyboardInterrupt
        return decode(content, recipe)

    monkeypatch.setattr(preparation, "_decoded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.open("train")
    (partial,) = (folder.parent / ".gm_jax").glob(".partial-*")
    (folder / "000.png").touch()  # no more than the time is another: all is decoded anew
    seen.clear()
    capsys.readouterr()
    monkeypatch.setattr(preparation, "_decoded", lambda c, r: seen.append(c) or decode(c, r))
    again = dataclasses.replace(source)
    made = again.open("train").load_all()["image"]
    assert len(seen) == 30
    assert not partial.exists()
    assert capsys.readouterr().err == ""

    # Without such a change, only the others are.
    other = ImageFolder(folder, size=9)
    seen.clear()
    monkeypatch.setattr(preparation, "_decoded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        other.open("train")
    (partial,) = (folder.parent / ".gm_jax").glob(".partial-*")
    done = len((partial / "journal.jsonl").read_text().splitlines())
    assert 5 <= done <= 25
    seen.clear()
    monkeypatch.setattr(preparation, "_decoded", lambda c, r: seen.append(c) or decode(c, r))
    resumed = other.open("train").load_all()["image"]
    assert len(seen) == 30 - done
    assert f"goes on: {done} of 30 are done" in capsys.readouterr().err
    assert not list((folder.parent / ".gm_jax").glob(".p*"))
    elsewhere = folder.rename(folder.parent / "elsewhere")
    straight = ImageFolder(elsewhere, size=9).open("train").load_all()["image"]
    np.testing.assert_array_equal(resumed, straight)
    assert made.shape[1:] == (8, 8, 3)
