"""Images of one's own: what becomes of them, where they go, and when they are prepared."""

import dataclasses
import gc
import hashlib
import io
import json
import os
import shlex
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tyro
from PIL import Image, ImageOps

from gm_jax import cli
from gm_jax.data import CenterCrop, DataSpec, HorizontalFlip, ImageData, ImageFolder, Resize, Tfds
from gm_jax.data.images.labels import label_names
from gm_jax.data.images.squares import decode_box, to_channels
from gm_jax.data.store.name_splits import place_of, split_names
from gm_jax.data.store.places import find_path
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment import Experiment
from gm_jax.experiment_json import differences, from_plain, to_plain
from gm_jax.models.vae import VAE

WHITE = (255, 255, 255)


def pixels(seed, height=40, width=30, channels=3):
    """Smooth noise, so that a JPEG is like what it was made of."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, channels)).astype(np.uint8)
    image = Image.fromarray(small if channels == 3 else small[..., 0])
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def encoded(image, kind="png", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def fill(folder, num=20, start=0, channels=3, prefix=""):
    """PNG files of several sizes in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + num):
        image = Image.fromarray(pixels(i, 20 + 3 * (i % 5), 20 + 4 * (i % 4), channels))
        image.save(folder / f"{prefix}{i:03d}.png")
    return folder


def files_of(source, split):
    """The names in a split, sorted."""
    records = source.open(split)._records
    return sorted(records[i]["file"].decode() for i in range(len(records)))


def images_of(source, split="train+validation+test"):
    """Images and labels by name."""
    examples = source.open(split)
    everything = range(len(examples))
    names = [r["file"].decode() for r in examples._records.__getitems__(list(everything))]
    return dict(zip(names, examples.take(everything), strict=True))


def square(image, size):
    """The square in the middle of an RGB image, resized: Pillow, step by step."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    cut = image.crop((left, top, left + side, top + side))
    return np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR))


@pytest.fixture
def folder(tmp_path, no_data):
    return fill(tmp_path / "my images")


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


class TestSquare:
    @pytest.mark.parametrize("shape", [(40, 30), (30, 41), (64, 64), (1, 1), (3, 200)])
    def test_is_the_middle_resized(self, shape):
        image = Image.fromarray(pixels(0, *shape))
        made = decode_box(encoded(image), 16, True, WHITE)
        np.testing.assert_array_equal(np.broadcast_to(made, (16, 16, 3)), square(image, 16))

    def test_is_what_the_transforms_make_of_a_tfds_set(self):
        original = pixels(1, 50, 31)
        made = decode_box(encoded(Image.fromarray(original)), 16, True, WHITE)
        np.testing.assert_array_equal(made, Resize(16)(CenterCrop()(original[None]))[0])

    def test_squeezed(self):
        image = Image.fromarray(pixels(2))
        made = decode_box(encoded(image), 16, False, WHITE)
        np.testing.assert_array_equal(made, image.resize((16, 16), Image.Resampling.BILINEAR))

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turned_as_the_camera_was_held(self, orientation):
        image = Image.fromarray(pixels(3, 24, 32))
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = encoded(image, "jpeg", quality=95, exif=exif)
        stored = np.asarray(Image.open(io.BytesIO(content)))
        upright = {
            1: stored,
            2: stored[:, ::-1],
            3: stored[::-1, ::-1],
            4: stored[::-1],
            5: stored.swapaxes(0, 1),
            6: np.rot90(stored, -1),
            7: np.rot90(stored, 2).swapaxes(0, 1),
            8: np.rot90(stored),
        }
        expected = square(Image.fromarray(np.ascontiguousarray(upright[orientation])), 12)
        np.testing.assert_array_equal(decode_box(content, 12, True, WHITE), expected)

    @pytest.mark.parametrize("background", [WHITE, (10, 200, 30)])
    def test_transparent_over_the_background(self, background):
        colour = pixels(4, 16, 16).astype(np.float64)
        alpha = np.linspace(0, 255, 256).reshape(16, 16).astype(np.uint8)
        image = Image.fromarray(np.dstack([colour.astype(np.uint8), alpha]))
        share = alpha[..., None] / 255
        expected = colour * share + np.array(background) * (1 - share)
        made = decode_box(encoded(image), 16, True, background)
        assert np.abs(made - expected).max() <= 1

    def test_palette_and_its_transparent_colour(self):
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, 250, 100, 20, 30, 60, 90])
        image.paste(2, (0, 0, 4, 8))
        made = decode_box(encoded(image, transparency=1), 8, True, WHITE)
        assert (made[:, :4] == (30, 60, 90)).all()
        assert (made[:, 4:] == 255).all()
        opaque = decode_box(encoded(image), 8, True, WHITE)
        assert (opaque[:, 4:] == (250, 100, 20)).all()

    def test_16_bits_become_the_upper_8(self):
        levels = np.arange(0, 65536, 1024, np.uint16).reshape(8, 8)
        made = decode_box(encoded(Image.fromarray(levels)), 8, True, WHITE)
        np.testing.assert_array_equal(made[..., 0], levels // 256)
        assert made.shape == (8, 8, 1)

    def test_cmyk(self):
        image = Image.fromarray(pixels(5, 16, 16)).convert("CMYK")
        content = encoded(image, "jpeg", quality=95)
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(decode_box(content, 16, True, WHITE), expected)

    @pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "bmp", "tiff"])
    def test_every_format(self, kind):
        content = encoded(Image.fromarray(pixels(6, 20, 20)), kind)
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(decode_box(content, 20, True, WHITE), expected)

    def test_first_frame(self):
        frames = [Image.fromarray(np.full((8, 8), v, np.uint8)) for v in (10, 200)]
        content = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
        assert (decode_box(content, 8, True, WHITE) == 10).all()

    def test_a_phone_s_file_of_several_pictures(self):
        content = encoded(
            Image.fromarray(pixels(9, 16, 16)),
            "mpo",
            save_all=True,
            append_images=[Image.fromarray(pixels(10, 16, 16))],
        )
        first = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(decode_box(content, 16, True, WHITE), first)

    def test_grey_by_mode_and_by_equal_channels(self):
        grey = pixels(7, 16, 16, 1)
        for image in (Image.fromarray(grey), Image.fromarray(np.dstack([grey] * 3))):
            made = decode_box(encoded(image), 16, True, WHITE)
            np.testing.assert_array_equal(made, grey[..., None])

    def test_channels(self):
        colour = pixels(8, 8, 8)
        luma = colour @ np.array([0.299, 0.587, 0.114])
        assert np.abs(to_channels(colour, 1)[..., 0] - luma).max() <= 1
        assert (to_channels(colour[..., :1], 3) == colour[..., :1]).all()

    def test_other_kinds_are_no_images(self):
        with pytest.raises(Exception, match="cannot identify"):
            decode_box(encoded(Image.fromarray(pixels(0)), "ppm"), 8, True, WHITE)


class TestSplits:
    NAMES = tuple(f"a/{i}.jpg" for i in range(3000))

    def test_by_a_hash_of_the_name(self):
        for name in self.NAMES[:5]:
            number = int(hashlib.sha1(name.encode()).hexdigest(), 16)
            assert place_of(name) == pytest.approx(number / 2**160)
        splits = split_names(self.NAMES, 0.10, 0.05)
        assert list(splits) == ["train", "validation", "test"]
        assert splits["test"] == sorted(n for n in self.NAMES if place_of(n) < 0.05)
        assert splits["validation"] == sorted(n for n in self.NAMES if 0.05 <= place_of(n) < 0.15)
        assert sorted(name for names in splits.values() for name in names) == sorted(self.NAMES)
        assert len(splits["train"]) / 3000 == pytest.approx(0.85, abs=0.02)

    def test_adding_an_image_moves_no_other(self):
        before = split_names(self.NAMES, 0.10, 0.05)
        after = split_names((*self.NAMES, "b/new.jpg", "0.jpg"), 0.10, 0.05)
        for split, names in before.items():
            assert set(names) <= set(after[split])

    @pytest.mark.parametrize("num", [3, 4, 5, 8, 12, 24])
    def test_of_a_few_every_split_has_one(self, num):
        splits = split_names(self.NAMES[:num], 0.10, 0.05)
        assert sum(map(len, splits.values())) == num
        assert all(splits.values())
        ordered = sorted(self.NAMES[:num], key=place_of)
        assert ordered[0] in splits["test"]
        assert ordered[-1] in splits["train"]

    @pytest.mark.parametrize(("num", "fractions"), [(2, (0.1, 0.05)), (1, (0.0, 0.05))])
    def test_too_few(self, num, fractions):
        with pytest.raises(UserError, match=f"at least {num + 1} images .*; found {num}") as error:
            split_names(self.NAMES[:num], *fractions)
        one_line(error)

    def test_no_validation(self):
        assert list(split_names(self.NAMES, 0.0, 0.05)) == ["train", "test"]

    def test_folders_named_as_splits(self):
        names = ["Train/a.jpg", "Train/b.jpg", "test/a.jpg", "val/c.jpg"]
        assert split_names(names, 0.1, 0.05) == {
            "train": names[:2],
            "validation": names[3:],
            "test": [names[2]],
        }
        # What is missing is drawn from train.
        splits = split_names(["train/a.jpg", "train/b.jpg", "test/a.jpg"], 0.1, 0.05)
        assert {s: len(n) for s, n in splits.items()} == {"train": 1, "validation": 1, "test": 1}
        assert splits["test"] == ["test/a.jpg"]
        # They are labels where others lie beside them.
        others = [f"{top}/{i}.jpg" for top in ("train", "test", "ship") for i in range(4)]
        assert len(split_names(others, 0.1, 0.05)["train"]) > 4

    def test_labels(self):
        assert label_names(["b/x.jpg", "a/y/z.jpg"], "auto") == (
            ["a", "b"],
            {"b/x.jpg": 1, "a/y/z.jpg": 0},
        )
        for names in (["x.jpg", "y.jpg"], ["a/x.jpg", "a/y.jpg"], ["x.jpg", "a/x.jpg", "b/x.jpg"]):
            assert label_names(names, "auto") == ([], {})
        assert label_names(["a/x.jpg", "b/y.jpg"], "none") == ([], {})
        assert label_names(["a/x.jpg", "a/y.jpg"], "folder")[0] == ["a"]
        with pytest.raises(UserError, match=r"x\.jpg lies in no folder"):
            label_names(["a/y.jpg", "x.jpg"], "folder")
        inside = ["train/cat/1.jpg", "train/dog/1.jpg", "test/dog/2.jpg"]
        assert label_names(inside, "auto") == (
            ["cat", "dog"],
            dict(zip(inside, (0, 1, 1), strict=True)),
        )


def test_a_folder_end_to_end(folder):
    source = ImageFolder(folder, size=16)
    assert source.spec == DataSpec((16, 16, 3))
    found = images_of(source)
    assert sorted(found) == sorted(p.name for p in folder.iterdir())
    for name, example in found.items():
        expected = square(Image.open(folder / name), 16)
        np.testing.assert_array_equal(example["image"], expected)
        assert "label" not in example
    expected = split_names(list(found), 0.10, 0.05)
    assert {s: files_of(source, s) for s in expected} == expected
    assert len(source.open("train[:50%]+test")) == round(len(expected["train"]) / 2) + len(
        expected["test"]
    )
    sizes = " / ".join(f"{len(names)} {split}" for split, names in expected.items())
    assert source.summary().endswith(f"my images: 20 images, no labels; {sizes}")


def test_prepared_once_and_anew_when_the_folder_changes(folder):
    fill(folder, 40, start=20)  # enough for every split to have some by their hash
    source = ImageFolder(folder, size=16)
    first = source._prepared()
    reading = source.open("train")
    assert first.path.is_relative_to(folder.parent / ".gm_jax")
    times = {p: p.stat().st_mtime_ns for p in first.path.iterdir()}
    before = {split: files_of(source, split) for split in first.splits}
    assert all(place_of(name) < 0.05 for name in before["test"])
    assert ImageFolder(str(folder), size=16)._prepared() == first
    assert {p: p.stat().st_mtime_ns for p in first.path.iterdir()} == times

    fill(folder, 10, start=100)
    second = source._prepared()
    assert second.path != first.path
    assert len(reading.load(0, 5)["image"]) == 5  # what is being read stays
    del reading
    gc.collect()
    assert sum(second.splits.values()) == 70
    for split, names in before.items():
        assert set(names) <= set(files_of(source, split))
    (folder / "100.png").write_bytes((folder / "101.png").read_bytes())
    os.utime(folder / "100.png", (time.time() + 5,) * 2)
    found = images_of(source)
    np.testing.assert_array_equal(found["100.png"]["image"], found["101.png"]["image"])
    assert not first.path.exists()
    # Other options of the same folder lie beside it.
    assert ImageFolder(folder, size=8).spec.shape == (8, 8, 3)
    assert source._prepared().path.exists()
    assert len(list((folder.parent / ".gm_jax" / "image_folder").iterdir())) == 2
    assert not list((folder.parent / ".gm_jax").glob(".preparing-*"))


def test_reproducible(folder, tmp_path):
    first = images_of(ImageFolder(folder, size=16))
    moved = folder.rename(tmp_path / "elsewhere")
    second = images_of(ImageFolder(moved, size=16))
    assert list(first) == list(second)
    for name, example in first.items():
        np.testing.assert_array_equal(example["image"], second[name]["image"])


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".zip"])
@pytest.mark.parametrize("inside", ["", "pets/", "./a/pets/"])
def test_an_archive_is_like_its_folder(ending, inside, tmp_path, no_data):
    folder = tmp_path / "pets"
    for number, label in enumerate(("cat", "dög")):
        fill(folder / label, 6, start=6 * number)
    (folder / "cat" / "notes.txt").write_text("no image")
    archive = tmp_path / f"pets{ending}"
    paths = [p for p in sorted(folder.rglob("*"), reverse=True) if p.is_file()]
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in paths:
                file.write(path, inside + path.relative_to(folder).as_posix())
    else:
        with tarfile.open(archive, "w" if ending == ".tar" else "w:gz") as file:
            for path in paths:
                file.add(path, inside + path.relative_to(folder).as_posix())
    expected, found = (images_of(ImageFolder(p, size=12)) for p in (folder, archive))
    assert list(expected) == list(found)
    assert len(found) == 12
    for name, example in expected.items():
        np.testing.assert_array_equal(example["image"], found[name]["image"])
        assert example["label"] == found[name]["label"] == name.startswith("dög")
    assert ImageFolder(archive, size=12).spec.num_classes == 2


def test_grey_colour_and_both(tmp_path, no_data):
    grey = fill(tmp_path / "grey", 5, channels=1)
    assert ImageFolder(grey, size=8).spec.shape == (8, 8, 1)
    assert ImageFolder(grey, size=8, channels=3).spec.shape == (8, 8, 3)
    both = fill(tmp_path / "both", 5, channels=1)
    fill(both, 5, start=5)
    source = ImageFolder(both, size=8)
    assert source.spec.shape == (8, 8, 3)
    image = images_of(source)["003.png"]["image"]
    assert (image == image[..., :1]).all()
    alone = images_of(ImageFolder(both, size=8, channels=1))["007.png"]["image"]
    luma = Image.fromarray(square(Image.open(both / "007.png"), 8)).convert("L")
    np.testing.assert_array_equal(alone[..., 0], luma)


def test_hidden_and_other_files_do_not_count(folder):
    (folder / ".hidden.png").write_bytes(b"?")
    (folder / "notes.json").write_text("{}")
    (folder / "Thumbs.db").write_text("?")
    fill(folder / ".cache", 3)
    (folder / "link").symlink_to(folder)
    assert sum(ImageFolder(folder, size=8)._prepared().splits.values()) == 20


def test_unreadable_files_are_listed_and_left_out(folder, capsys):
    whole = (folder / "000.png").read_bytes()
    (folder / "cut.jpg").write_bytes(encoded(Image.fromarray(pixels(0)), "jpeg")[:300])
    (folder / "text.jpg").write_text("no image")
    (folder / "lost.png").symlink_to(folder / "nowhere")
    (folder / "empty.gif").touch()
    source = ImageFolder(folder, size=8)
    prepared = source._prepared()
    assert sum(prepared.splits.values()) == 20
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("4 of 24 images of ")
    assert told.err.count("\n") == 1
    report = prepared.path.parent / "data_report.txt"
    lines = report.read_text().splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "cut.jpg",
        "empty.gif",
        "lost.png",
        "text.jpg",
    ]
    assert "truncated" in lines[0].lower()
    assert lines[1:] == [
        "empty.gif: it is no image",
        "lost.png: No such file or directory",
        "text.jpg: it is no image",
    ]
    assert str(report) in told.err
    assert "4 unreadable (listed in " in source.summary()
    assert capsys.readouterr().err == ""  # it is said once
    with pytest.raises(UserError, match=r"cut\.jpg cannot be read .*by unreadable=.skip"):
        dataclasses.replace(source, unreadable="stop").spec  # noqa: B018
    assert (folder / "000.png").read_bytes() == whole


def test_stop_prepares_nothing(folder):
    (folder / "text.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"text\.jpg cannot be read \(it is no image\)") as error:
        ImageFolder(folder, size=8, unreadable="stop").open("train")
    one_line(error)
    assert not list((folder.parent / ".gm_jax").iterdir())


def test_a_file_that_goes_while_it_is_prepared(folder, monkeypatch):
    read = Path.read_bytes

    def vanishing(path):
        if path.name == "005.png":
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", vanishing)
    assert sum(ImageFolder(folder, size=8)._prepared().splits.values()) == 19


@pytest.mark.parametrize("mode", [0o555, 0o755])
def test_beside_the_folder_or_in_the_cache(tmp_path, no_data, mode):
    above = tmp_path / "above"
    folder = fill(above / "mine")
    above.chmod(mode)
    try:
        path = ImageFolder(folder, size=8)._prepared().path
    finally:
        above.chmod(0o755)
    where = above / ".gm_jax" if mode == 0o755 else tmp_path / "cache" / "gm_jax" / "data"
    assert path.is_relative_to(where)


def test_found_from_here_in_the_data_folders_and_at_home(tmp_path, no_data, monkeypatch):
    for place in ("here", "data", "data/tfds"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("GM_JAX_DATA", str(tmp_path / "data"))
    fill(tmp_path / "data" / "mine", 3)
    assert find_path("mine") == tmp_path / "data" / "mine"
    fill(tmp_path / "here" / "mine", 3)
    assert find_path("mine").resolve() == tmp_path / "here" / "mine"
    assert find_path("~/data/mine") == tmp_path / "data" / "mine"
    with pytest.raises(UserError, match=r"no folder or archive yours, here or in .*data") as error:
        find_path("yours")
    one_line(error)


def test_spaces_and_letters_of_all_kinds(tmp_path, no_data):
    folder = fill(tmp_path / "mes œuvres 写真", 6, prefix="été ☀ ")
    os.link(folder / "été ☀ 000.png", os.fsencode(folder) + b"/\xff.png")
    source = ImageFolder(folder, size=8)
    assert sum(source._prepared().splits.values()) == 7
    assert "mes œuvres 写真: 7 images" in source.summary()


def test_a_label_with_one_image(tmp_path, no_data):
    fill(tmp_path / "pets" / "cat", 6)
    fill(tmp_path / "pets" / "dog", 1)
    source = ImageFolder(tmp_path / "pets", size=8)
    assert source.spec.num_classes == 2
    assert sum(e["label"] for e in images_of(source).values()) == 1


def test_folders_named_as_splits_are_the_splits(tmp_path, no_data):
    for start, (split, num) in enumerate({"train": 7, "valid": 2, "test": 3}.items()):
        for label in ("x", "y"):
            fill(tmp_path / "mine" / split / label, num, start=100 * start)
    source = ImageFolder(tmp_path / "mine", size=8)
    assert source._prepared().splits == {"train": 14, "validation": 4, "test": 6}
    assert source.spec.num_classes == 2
    assert all(name.startswith("valid/") for name in files_of(source, "validation"))


def test_damaged_archives(tmp_path, no_data):
    fill(tmp_path / "mine")
    with tarfile.open(tmp_path / "mine.tar.gz", "w:gz") as file:
        file.add(tmp_path / "mine")
    content = (tmp_path / "mine.tar.gz").read_bytes()
    (tmp_path / "mine.tar.gz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.zip").write_text("no archive")
    for name in ("mine.tar.gz", "text.zip"):
        with pytest.raises(UserError, match="cannot be read as an archive") as error:
            ImageFolder(tmp_path / name).spec  # noqa: B018
        one_line(error)


def test_a_damaged_preparation_says_what_to_do(folder):
    path = ImageFolder(folder, size=8)._prepared().path
    for file in path.glob("*array_record*"):
        file.write_bytes(b"")
    with pytest.raises(UserError, match="delete that folder and give the same command") as error:
        ImageFolder(folder, size=8).open("train").load_all()
    one_line(error)


class TestImageData:
    def test_of_a_folder(self, folder):
        data = ImageData(folder, 16, augment=(HorizontalFlip(),), batch_size=4)
        assert data.path == str(folder)
        assert data.source == ImageFolder(str(folder), 16)
        assert data.transforms == (HorizontalFlip(),)
        assert data.spec == DataSpec((16, 16, 3))
        train = data.open("train")
        assert train.batch_at(0)["image"].shape == (4, 16, 16, 3)
        streamed = dataclasses.replace(data, device_budget_mib=0).open("train")
        np.testing.assert_array_equal(streamed.batch_at(3)["image"], train.batch_at(3)["image"])
        halves = dataclasses.replace(data, train="train[:50%]", valid="train[50%:]")
        sizes = [halves.open(s).num_examples for s in ("train", "valid")]
        assert sum(sizes) == train.num_examples

    def test_of_a_tfds_set(self, no_data):
        data = ImageData(size=16, tfds="celeb_a", channels=3)
        assert data.transforms == (CenterCrop(), Resize(16))
        assert dataclasses.replace(data, crop=False).transforms == (Resize(16),)
        with pytest.raises(UserError, match=r"as data\.path.*data prepare celeb_a") as error:
            data.spec  # noqa: B018
        one_line(error)
        with pytest.raises(UserError, match="did you mean celeb_a"):
            ImageData(tfds="celeb_b").open("train")
        with pytest.raises(UserError, match=r"as data\.path"):
            ImageData().open("train")

    def test_of_a_prepared_tfds_set(self, tfds_sets):
        data = ImageData(size=16, tfds="cifar10", train="train[:100]")
        assert data.source == Tfds("cifar10")
        assert data.open("train").arrays["image"].shape == (100, 16, 16, 3)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"size": 0}, "ImageData.size must be greater than 0"),
            ({"size": -3}, "ImageData.size must be greater than 0"),
            ({"channels": 2}, "ImageData.channels must be one of"),
            ({"labels": "all"}, "ImageData.labels must be one of"),
            ({"unreadable": "ask"}, "ImageData.unreadable must be one of"),
            ({"valid_fraction": 1.0}, "ImageData.valid_fraction must be in"),
            ({"valid_fraction": 0.5, "test_fraction": 0.5}, "must sum to less than 1"),
            ({"background": (0, 0, 256)}, "ImageData.background must be"),
            ({"batch_size": 0}, "ImageData.batch_size must be greater than 0"),
            (
                {"augment": ("flip",)},
                "ImageData.augment must be a tuple of Transforms",
            ),
        ],
    )
    def test_wrong_fields(self, fields, message):
        with pytest.raises(ConfigError, match=message):
            ImageData(**fields)

    def test_json_and_replace(self, tmp_path):
        experiment = Experiment(ImageData(tmp_path, 16, augment=(HorizontalFlip(),)), VAE())
        again = from_plain(json.loads(json.dumps(to_plain(experiment))))
        assert again == experiment
        assert differences(experiment, again) == []
        assert experiment.replace(**{"data.size": 32}).data.size == 32
        assert experiment.replace(**{"data.path": tmp_path / "b"}).data.path == f"{tmp_path}/b"
        assert Experiment(ImageData(size=64), VAE()).quick().data.size == 32

    def test_from_the_command_line(self):
        experiment = Experiment(ImageData(), VAE())
        args = "--data.path ~/a.tar --data.size 32 --data.channels 1 --data.tfds celeb_a"
        data = tyro.cli(Experiment, default=experiment, args=args.split()).data
        assert data == ImageData("~/a.tar", 32, channels=1, tfds="celeb_a")


@pytest.mark.slow
def test_trained_resumed_and_evaluated_when_the_folder_has_grown(folder, monkeypatch, capsys):
    def command(typed):
        with pytest.raises(SystemExit) as stop:
            cli.main(shlex.split(typed))
        told = capsys.readouterr()
        assert stop.value.code == 0, told.err
        return told.out

    monkeypatch.chdir(folder.parent)
    train = (
        "train folder/vae --data.path 'my images' --data.size 8 --data.batch-size 8 --run run "
        "--model.coder.features 4 --model.coder.strides 2 --model.coder.dense 8 "
        "--training.num-steps 2 --training.sample-every 0"
    )
    assert "my images: 20 images, no labels; " in command(train)
    fill(folder, 10, start=100)
    again = command(train)
    assert "my images: 30 images, no labels; " in again
    assert "trained already" in again
    assert "mse" in command("evaluate run --split 'train[:50%]+test'")


@pytest.fixture
def real_images(real_data, tmp_path, monkeypatch):
    """A link to the real images by name, or a skip; nothing is written beside them."""

    def link(name):
        if not (real_data / "images" / name).exists():
            pytest.skip(f"real data: {real_data}/images has no {name}")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        return Path("images") / name

    return link


def test_real_hands(real_images, real_data):
    source = ImageFolder(real_images("hands"), size=32)
    assert source.spec == DataSpec((32, 32, 1))
    found = images_of(source)
    assert len(found) == 24
    for name, example in found.items():
        with Image.open(real_data / "images" / "hands" / name) as image:
            np.testing.assert_array_equal(example["image"][..., 0], image.convert("L"))
    assert all(source._prepared().splits.values())


def test_real_railway_tracks(real_images, real_data):
    source = ImageFolder(real_images("railway_tracks"), size=64)
    assert source.spec == DataSpec((64, 64, 3))
    found = images_of(source)
    assert len(found) == 64
    for name, example in list(found.items())[:5]:
        with Image.open(real_data / "images" / "railway_tracks" / name) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            np.testing.assert_array_equal(example["image"], square(upright, 64))


@pytest.mark.slow
def test_real_faces(real_images):
    source = ImageFolder(real_images("celeba_aligned_64.tar"), size=64)
    assert source.spec == DataSpec((64, 64, 3))
    prepared = source._prepared()
    assert sum(prepared.splits.values()) == 3000
    assert prepared.splits["train"] == pytest.approx(2550, abs=60)
