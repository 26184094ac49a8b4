"""From images to features, with a network of two lines in place of the large one."""

import chex
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gm_jax.errors import UserError
from gm_jax.evaluation.inception import features as module
from gm_jax.evaluation.inception.features import InceptionFeatures, network_input
from gm_jax.evaluation.inception.weights import InceptionWeights
from gm_jax.nets.inception import InceptionOutputs

RNG = np.random.default_rng(0)


class TwoLines:
    """Sums over parts of the image: sees each pixel, and no other image."""

    def apply(self, variables, x):
        self.seen.append(x.shape)
        parts = jnp.tile(x.reshape(len(x), -1), (1, 1))[:, : 2048 * 100].reshape(len(x), 2048, 100)
        pooled = variables["scale"] * parts.mean(-1)
        maps = jnp.zeros((len(x), 1))
        return InceptionOutputs(maps, maps, maps, pooled, pooled[:, :1008], pooled[:, 1008:2016])


@pytest.fixture
def make(monkeypatch):
    """Features by it; `make.seen` has the shapes that were traced."""
    seen = []
    monkeypatch.setattr(TwoLines, "seen", seen, raising=False)
    monkeypatch.setattr(module, "InceptionV3", TwoLines)
    module._features.clear_cache()

    def make(**kwargs):
        return InceptionFeatures(InceptionWeights({"scale": jnp.ones(())}, "89abcdef"), **kwargs)

    make.seen = seen
    yield make
    module._features.clear_cache()


def test_the_name_holds_digest_and_resizing(make):
    features = make(resize="clean")
    assert (features.name, features.dim) == ("inception-89abcdef-clean", 2048)
    assert make().name == "inception-89abcdef-tf1"
    with pytest.raises(UserError, match="no resizing 'pil' for Inception, but tf1, pytorch, clean"):
        make(resize="pil")


def test_features_and_probabilities_do_not_depend_on_the_batch(make):
    images = RNG.integers(0, 256, (7, 6, 5, 3), np.uint8)
    whole, probabilities = make(batch_size=8)(images)
    chex.assert_shape([whole, probabilities], [(7, 2048), (7, 1008)])
    chex.assert_trees_all_close(probabilities.sum(1), np.ones(7), atol=1e-5)
    assert whole.std(0).mean() > 0.01
    for batch_size in (1, 3):
        parts = make(batch_size=batch_size)(images)
        chex.assert_trees_all_close(parts, (whole, probabilities), atol=1e-5)
    assert {shape[0] for shape in make.seen} == {8, 1, 3}


def test_any_number_of_images(make):
    features = make(batch_size=4)
    for n in (0, 1, 5):
        got = features(np.zeros((n, 4, 4, 1), np.uint8))
        chex.assert_shape(got, [(n, 2048), (n, 1008)])


def test_grey_images_are_repeated_and_few_levels_spread(make):
    grey = RNG.integers(0, 17, (2, 8, 8, 1), np.uint8)
    coloured = np.repeat((grey * (255.0 / 16)).astype(np.float32), 3, -1)
    chex.assert_trees_all_close(make(num_levels=17)(grey), make()(coloured), atol=1e-5)


def test_other_channels_are_refused(make):
    with pytest.raises(UserError, match="1 or 3 channels, not of 8x8x4"):
        make()(np.zeros((2, 8, 8, 4), np.uint8))


def test_the_network_is_given_what_the_packages_give_it():
    """Of 299x299 images, that no resizing changes: pytorch-fid scales by 255, the others by 128."""
    images = RNG.integers(0, 256, (1, 299, 299, 3), np.uint8)
    by_128 = (images.astype(np.float32) - 128) / 128
    chex.assert_trees_all_close(network_input(images, "tf1"), by_128, atol=1e-4)
    chex.assert_trees_all_close(network_input(images, "clean"), by_128, atol=1e-4)
    by_255 = images.astype(np.float32) / 127.5 - 1
    chex.assert_trees_all_close(network_input(images, "pytorch"), by_255, atol=1e-4)


def test_clean_is_pillow_of_each_channel_within_the_range():
    """Black beside white: bicubic goes beyond both, and is cut off there."""
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, 5:, :2] = 255
    channels = [
        Image.fromarray(image[..., c].astype(np.float32)).resize((299, 299), Image.BICUBIC)
        for c in range(3)
    ]
    levels = np.stack([np.asarray(c) for c in channels], -1)
    assert levels.min() < -5
    assert levels.max() > 260
    expected = (levels.clip(0, 255) - 128) / 128
    chex.assert_trees_all_close(network_input(image[None], "clean")[0], expected, atol=1e-4)
