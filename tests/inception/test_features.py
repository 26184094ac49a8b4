"""From images to features, with a network of two lines in place of the large one."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax.data import Data, Digits
from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.evaluation.inception import features as module
from gm_jax.evaluation.inception.features import InceptionFeatures, network_input
from gm_jax.evaluation.inception.weights import InceptionWeights
from gm_jax.evaluation.named_features import named_features
from gm_jax.experiment import Experiment, Training
from gm_jax.model import Family, create_state
from gm_jax.nets.inception import InceptionOutputs
from gm_jax.optimizer import Optimizer

RNG = np.random.default_rng(0)
WEIGHTS = InceptionWeights({"scale": jnp.array(3.0)}, "89abcdef")
COLOURED = DataSpec((6, 5, 3))
DIM, CLASSES = 16, 10


class TwoLines:
    """Means over bands of the image: sees each pixel, and no other image."""

    seen: list

    def apply(self, variables, x):
        self.seen.append(x.shape)
        bands = x[:, : 18 * DIM].reshape(len(x), DIM, -1)
        pooled = variables["scale"] * bands.mean(-1)
        maps = jnp.zeros((len(x), 1))
        return InceptionOutputs(maps, maps, maps, pooled, pooled[:, :CLASSES], pooled[:, -CLASSES:])


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    """The shapes that the network was traced with."""
    shapes = []
    monkeypatch.setattr(TwoLines, "seen", shapes, raising=False)
    monkeypatch.setattr(module, "InceptionV3", TwoLines)
    monkeypatch.setattr(module, "load_inception", lambda path: WEIGHTS)
    module._features.clear_cache()
    yield shapes
    module._features.clear_cache()


def test_the_name_holds_digest_and_resizing():
    assert InceptionFeatures(WEIGHTS, COLOURED, "clean").name == "inception-89abcdef-clean"
    assert named_features("inception", COLOURED).name == "inception-89abcdef-tf1"
    assert named_features("inception-pytorch", COLOURED).name == "inception-89abcdef-pytorch"
    assert named_features("random", COLOURED).name.startswith("random-")
    with pytest.raises(UserError, match="no features called vgg, but random, inception, "):
        named_features("vgg", COLOURED)


def test_features_and_probabilities_do_not_depend_on_the_batch(seen):
    images = RNG.integers(0, 256, (7, 6, 5, 3), np.uint8)
    whole = InceptionFeatures(WEIGHTS, COLOURED, batch_size=8)(images)
    chex.assert_shape([*whole], [(7, DIM), (7, CLASSES)])
    chex.assert_trees_all_close(whole.probabilities.sum(1), np.ones(7), atol=1e-5)
    assert whole.features.std(0).mean() > 0.01
    for batch_size in (1, 3):
        parts = InceptionFeatures(WEIGHTS, COLOURED, batch_size=batch_size)(images)
        chex.assert_trees_all_close(parts, whole, atol=1e-5)
    assert [shape[0] for shape in seen] == [8, 1, 3]  # each compiled once
    assert {shape[1:] for shape in seen} == {(299, 299, 3)}


def test_grey_images_are_repeated_and_few_levels_spread():
    grey = RNG.integers(0, 17, (2, 8, 8, 1), np.uint8)
    coloured = np.repeat((grey * (255.0 / 16)).astype(np.float32), 3, -1)
    of_grey = InceptionFeatures(WEIGHTS, DataSpec((8, 8, 1), num_levels=17))(grey)
    chex.assert_trees_all_close(
        of_grey, InceptionFeatures(WEIGHTS, DataSpec((8, 8, 3)))(coloured), atol=1e-5
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (DataSpec((8, 8, 4)), "1 or 3 channels, and these data are 8x8x4"),
        (DataSpec((2,), continuous=True), "and these data are points"),
        (DataSpec((5, 8, 8, 1)), "and these data are sequences"),
    ],
)
def test_other_data_are_refused(spec, words):
    with pytest.raises(UserError, match=words):
        named_features("inception", spec)


def test_other_resizings_are_refused():
    with pytest.raises(UserError, match=r"no resizing pil for Inception-v3, but tf1, pytorch, cl"):
        InceptionFeatures(WEIGHTS, COLOURED, "pil")


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


@dataclasses.dataclass(frozen=True)
class Noise(Family):
    """Draws noise."""

    def init(self, rngs, spec):
        return create_state(rngs, spec, {"w": jnp.zeros(())}, Optimizer())

    def update(self, state, batch, rngs):
        return state.replace(step=state.step + 1), {"loss": jnp.zeros(())}

    def evaluate(self, state, batch, rngs):
        return {"nothing": jnp.zeros(len(batch["image"]))}

    def sample(self, state, rngs, num, condition=None):
        return jax.random.randint(rngs("noise"), (num, 8, 8, 1), 0, 17).astype(jnp.uint8)


def test_samples_are_held_against_a_split_in_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = Data(Digits(), train="train[:60]", valid=None, test="test[:60]", batch_size=60)
    training = Training(num_steps=1, sample_every=0)
    run = gm_jax.fit(Experiment(data, Noise(), training), tmp_path / "run")
    measured = run.sample_quality("inception-clean", 60).measured
    assert measured.features == "inception-89abcdef-clean"
    assert measured.figures["fid"].value > 3 * measured.figures["fid_floor"].value
    assert "inception_score" in measured.figures
    assert "classes_covered" not in measured.figures  # ImageNet's classes are not those of digits
