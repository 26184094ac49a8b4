"""The resizings against those of torch-fidelity, PyTorch and clean-fid (Pillow).

What they give is kept in tests/fixtures/inception, with the script that made it.
"""

import importlib.util
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gm_jax.functional.resizing import (
    bicubic_antialiased,
    bilinear_halfpixel,
    bilinear_tensorflow1,
)

FIXTURES = Path(__file__).parent.parent / "fixtures" / "inception"
IMAGES = {"up": (2, 20, 31), "down": (1, 61, 50), "larger": (1, 12, 9)}  # as the script has them
WAYS = {
    "tf1": bilinear_tensorflow1,
    "pytorch": bilinear_halfpixel,
    "clean": lambda images, size: jnp.clip(bicubic_antialiased(images, size), 0, 255),
}


@pytest.fixture(scope="module")
def kept():
    with np.load(FIXTURES / "expected_resized.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def random_images():
    spec = importlib.util.spec_from_file_location("formulas", FIXTURES / "random_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.random_images


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", IMAGES)
def test_levels_are_those_of_the_package(name, way, kept, random_images):
    images = random_images(*IMAGES[name])
    got = jax.jit(WAYS[way], static_argnums=1)(images, (23, 23))
    chex.assert_trees_all_close(got, kept[f"{name}_{way}"], atol=1e-5 * 255)
    others = {w: np.abs(kept[f"{name}_{w}"] - kept[f"{name}_{way}"]).max() for w in WAYS}
    assert all(d > 5 for w, d in others.items() if w != way)  # levels: they are told apart


def test_bicubic_is_that_of_pillow_at_other_sizes():
    image = np.random.default_rng(0).uniform(0, 255, (33, 17)).astype(np.float32)
    pillow = Image.fromarray(image).resize((40, 20), Image.Resampling.BICUBIC)  # width, height
    got = bicubic_antialiased(image[..., None], (20, 40))[..., 0]
    chex.assert_trees_all_close(got, np.asarray(pillow), atol=1e-3)


@pytest.mark.parametrize("resize", [bilinear_tensorflow1, bilinear_halfpixel, bicubic_antialiased])
def test_the_same_size_leaves_images_as_they_are(resize):
    images = jnp.arange(2 * 5 * 4 * 3, dtype=jnp.float32).reshape(2, 5, 4, 3)
    chex.assert_trees_all_close(resize(images, (5, 4)), images, atol=1e-4)


def test_tensorflow_1_by_hand():
    """Twice as long: each second pixel is the mean of two, and the last one goes on."""
    line = jnp.array([0.0, 4.0, 2.0]).reshape(1, 3, 1)
    got = bilinear_tensorflow1(line, (1, 6))
    chex.assert_trees_all_close(got.ravel(), jnp.array([0.0, 2.0, 4.0, 3.0, 2.0, 2.0]), atol=1e-6)
