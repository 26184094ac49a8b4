"""Image files of any size become what the training images were."""

import numpy as np
import pytest
from PIL import Image, ImageOps

import gm_jax
from gm_jax import cli
from gm_jax.data import Binarize, CenterCrop, Data, Digits, Grayscale, ImageData, Resize
from gm_jax.data.images.single import read_images
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.experiment import Experiment, Training
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import DenseCoder


@pytest.fixture
def photograph(tmp_path):
    """Smooth noise, 40 x 30."""
    small = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(small).resize((40, 30), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def folder(tmp_path, photograph):
    """A folder of nine photographs."""
    place = tmp_path / "mine"
    place.mkdir()
    with Image.open(photograph) as image:
        for i in range(9):
            image.rotate(40 * i).save(place / f"{i}.png")
    return place


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("transforms", [(), (Grayscale(),), (CenterCrop(6), Binarize())])
def test_a_photograph_of_the_folder_is_the_one_that_was_learned(folder, crop, transforms):
    data = ImageData(folder, 8, crop=crop, augment=transforms, valid=None)
    images, changed = read_images([folder / f"{i}.png" for i in range(9)], data, data.spec)
    learned = [*data.open("train").arrays["image"], *data.open("test").arrays["image"]]
    assert {image.tobytes() for image in images} >= {image.tobytes() for image in learned}
    assert len(changed) == 9
    said = "the square in the middle" if crop else "the whole"
    assert f"0.png: 40x30, {said}, resized to 8x8" in changed[0]
    assert ("Binarize" in changed[0]) == (transforms[-1:] == (Binarize(),))


def test_one_of_the_right_size_stays_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    images, changed = read_images([tmp_path / "a.png"], Data(Digits()), Digits().spec)
    np.testing.assert_array_equal(images[0, ..., 0], pixels.astype(int) * 17 // 256)
    assert changed == []


def test_a_set_of_one_size_is_met_by_its_middle(photograph):
    data = Data(Digits(), transforms=(Resize(6),))
    images, (said,) = read_images([photograph], data, data.spec)
    with Image.open(photograph) as image:
        middle = ImageOps.fit(image.convert("L"), (8, 8), Image.Resampling.BILINEAR)
    levels = (np.asarray(middle, int) * 17 // 256).astype(np.uint8)
    np.testing.assert_array_equal(images, Resize(6)(levels[None, ..., None]))
    assert said == f"{photograph}: 40x30, the middle, resized to 8x8, Resize, as in training"


def test_where_the_data_are_gone_the_middle_is_taken(photograph):
    spec = DataSpec((5, 10, 3), num_levels=4)
    images, (said,) = read_images([photograph], ImageData(tfds="celeb_a"), spec)
    assert images.shape == (1, 5, 10, 3)
    assert images.max() == 3
    assert "the middle, resized to 10x5" in said


def test_what_training_could_not_take(photograph):
    with pytest.raises(UserError, match=r"photo.png: the run was trained on 8x8: resize the image"):
        read_images([photograph], Data(Digits(), transforms=(Resize(6),)), DataSpec((8, 8, 1)))


def test_reconstruct_says_so(folder, capsys, tmp_path):
    model = Autoencoder(coder=DenseCoder(hidden=()), latent_dim=2)
    data = ImageData(folder, 8, valid=None, batch_size=4)
    training = Training(num_steps=1, sample_every=0, eval_every=0)
    run = gm_jax.fit(Experiment(data, model, training), tmp_path / "run")
    files = [str(folder / "1.png"), str(folder / "2.png")]
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        cli.main(["reconstruct", str(run.folder), "--images", *files])
    assert stop.value.code == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"images    {folder / '1.png'}: 40x30, the square in the middle")
    assert second.startswith("          ")
