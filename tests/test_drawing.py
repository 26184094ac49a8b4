"""Draws in chunks: of two draws by one seed the shorter is the beginning of the longer."""

import jax
import numpy as np
import pytest

from gm_jax import drawing
from gm_jax.data.spec import DataSpec
from gm_jax.drawing import chunk_size, draw
from gm_jax.errors import UserError
from gm_jax.models.arm import ARM
from gm_jax.models.bayes import Bayes
from gm_jax.models.classifier import Classifier
from gm_jax.models.ddpm import DDPM
from gm_jax.models.diffusion_naive import NaiveDiffusion
from gm_jax.models.gan import GAN
from gm_jax.models.gaussian_classes import GaussianClasses
from gm_jax.models.gmm import GMM
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.models.realnvp import RealNVP
from gm_jax.models.vae import VAE
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.rng import Rngs, rngs_from_seed
from gm_jax.sampling import AutoregressiveSampling

SPEC = DataSpec((4, 4, 1), num_levels=4, num_classes=3)
DENSE = DenseDenoiser(hidden=(4,))

MODELS = {
    "vae": VAE(latent_dim=3).quick(),
    "gan": GAN().quick(),
    "arm": ARM().quick(),
    "pixelcnn": PixelCNN(conditional=True).quick(),
    "predictive": ARM(sampling=AutoregressiveSampling("predictive")).quick(),
    "realnvp": RealNVP().quick(),
    "ddpm": DDPM(network=DENSE, num_steps=3, conditional=True).quick(),
    "naive": NaiveDiffusion().quick(),
    "gmm": GMM(num_components=2).quick(),
    "bayes": Bayes().quick(),
}


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 6: at least 4, in whole turns of 3 classes."""
    monkeypatch.setattr(drawing, "_CHUNK_VALUES", 1)
    monkeypatch.setattr(drawing, "_CHUNK_LEAST", 4)


def started(model, spec=SPEC):
    """A state with some numbers in it; none is compiled for."""
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    rng = np.random.default_rng(0)
    # Weights and variances are positive.
    low = 0.1 if isinstance(model, GaussianClasses) else -0.5

    def some(leaf, low=low):
        return rng.uniform(low, 0.5, leaf.shape).astype(leaf.dtype)

    return state.replace(
        step=0,
        key=jax.random.key(0),
        params=jax.tree.map(some, state.params),
        model_state=jax.tree.map(lambda leaf: some(leaf, 0.1), state.model_state),
        opt_state={},
        ema_params=None,
    )


def agree(a, b):
    """Equal but for rounding: levels may differ by one, in few places."""
    assert a.dtype == b.dtype == np.uint8
    off = np.abs(a.astype(int) - b)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01


@pytest.mark.parametrize("name", MODELS)
def test_the_shorter_draw_is_the_beginning_of_the_longer(name, small_chunks):
    model = MODELS[name]
    state = started(model)
    few, more, many = (draw(model, state, "sample", num, 5, None) for num in (4, 6, 16))
    assert many.shape == (16, *SPEC.shape)
    agree(few, many[:4])
    np.testing.assert_array_equal(more, many[:6])
    np.testing.assert_array_equal(draw(model, state, "sample", 14, 5, None), many[:14])
    assert (many[6:12] != many[:6]).any()


def test_up_to_a_chunk_it_is_one_call(small_chunks):
    model = MODELS["bayes"]
    state = started(model)
    called = jax.jit(model.sample, static_argnums=2)(state, Rngs(jax.random.key(5)).at("sample"), 6)
    np.testing.assert_array_equal(draw(model, state, "sample", 6, 5, None), called)


def test_classes_go_on_in_turn_and_labels_stay_with_their_images(small_chunks):
    model = MODELS["pixelcnn"]
    state = started(model)
    turns = np.arange(14, dtype=np.int32) % 3
    told = draw(model, state, "sample", 14, 5, turns)
    np.testing.assert_array_equal(told, draw(model, state, "sample", 14, 5, None))
    # An image depends on its own label only: with the last ones changed, the first stay.
    turns[9:] = 0
    np.testing.assert_array_equal(draw(model, state, "sample", 14, 5, turns)[:9], told[:9])


def test_latents_and_means_are_drawn_in_the_same_chunks(small_chunks):
    model = MODELS["vae"]
    state = started(model)
    for ability in ("draw_latents", "sample_means"):
        few, many = (draw(model, state, ability, num, 5) for num in (4, 16))
        assert many.dtype == np.float32
        np.testing.assert_allclose(few, many[:4], atol=1e-6)
        assert len(np.unique(many, axis=0)) == 16


def test_every_chunk_is_told(small_chunks):
    told = []
    draw(MODELS["bayes"], started(MODELS["bayes"]), "sample", 13, 0, None, watch=told.append)
    assert told == [6, 12, 13]


@pytest.mark.parametrize(
    ("shape", "classes", "size"),
    [
        ((32, 32, 3), None, 341),
        ((28, 28, 1), 10, 1340),
        ((256, 256, 3), None, 64),
        ((256, 256, 3), 100, 100),
    ],
)
def test_chunks_are_bounded_and_whole_turns_of_the_classes(shape, classes, size):
    assert chunk_size(DataSpec(shape, num_classes=classes)) == size


def test_what_cannot_be_drawn():
    state = started(MODELS["bayes"])
    for num, words in ((0, "at least 1, not 0"), (10**18, "more than memory holds")):
        with pytest.raises(UserError, match=words):
            draw(MODELS["bayes"], state, "sample", num, 0, None)
    with pytest.raises(UserError, match="the seed must be 0 to"):
        draw(MODELS["bayes"], state, "sample", 1, -1, None)
    with pytest.raises(UserError, match="Classifier can't sample"):
        draw(Classifier(), state, "sample", 1, 0, None)
