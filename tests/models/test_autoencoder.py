"""The autoencoder against plain NumPy and scikit-learn."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity
from sklearn.datasets import load_digits

from gm_jax.data.spec import DataSpec
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import ConvCoder, DenseCoder
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

SPEC = DataSpec((4, 5, 1), num_levels=16)
IMAGES = np.random.default_rng(0).integers(0, 16, (6, 4, 5, 1)).astype(np.uint8)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_network_and_its_losses_are_those_of_numpy():
    model = Autoencoder(
        coder=DenseCoder((7,), activation="sigmoid", activate_code=True), latent_dim=3
    )
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
    figures = model.evaluate(state, {"image": IMAGES}, rngs_from_seed(1))
    params = jax.tree.map(lambda p: np.asarray(p, np.float64), state.params)

    def dense(part, layer, x):
        weights = params[part]["MLP_0"][f"Dense_{layer}"]
        return x @ weights["kernel"] + weights["bias"]

    x = IMAGES.reshape(6, -1) / 15
    code = sigmoid(dense("encoder", 1, sigmoid(dense("encoder", 0, x))))
    y = sigmoid(dense("decoder", 1, sigmoid(dense("decoder", 0, code))))
    np.testing.assert_allclose(model.encode(state, {"image": IMAGES}), code, rtol=1e-4)
    np.testing.assert_allclose(figures["mse"], ((x - y) ** 2).mean(1), rtol=1e-4)
    bce = -(x * np.log(y) + (1 - x) * np.log(1 - y)).mean(1)
    np.testing.assert_allclose(figures["bce"], bce, rtol=1e-4)
    psnr = -10 * np.log10(((x - y) ** 2).mean(1))
    np.testing.assert_allclose(figures["psnr"], psnr, rtol=1e-4)
    np.testing.assert_array_equal(figures["loss"], figures["mse"])
    levels = np.round(y * 15).reshape(6, 4, 5, 1)
    reconstructed = model.reconstruct(state, rngs_from_seed(1), {"image": IMAGES})
    assert np.abs(levels - np.asarray(reconstructed)).max() <= 1
    chex.assert_type(reconstructed, np.uint8)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_the_sum_is_the_mean_times_the_number_of_values(loss):
    values = {}
    for reduction in ("sum", "mean"):
        model = Autoencoder(coder=DenseCoder((7,)), loss=loss, reduction=reduction)
        state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
        values[reduction] = model.evaluate(state, {"image": IMAGES}, rngs_from_seed(1))["loss"]
    np.testing.assert_allclose(values["sum"], 20 * values["mean"], rtol=1e-5)


def test_a_linear_code_of_digits_nears_principal_components():
    """The best linear code is PCA's (Bourlard & Kamp 1988): ours, trained, comes close to it."""
    digits = load_digits().images[..., None].astype(np.uint8)
    spec = DataSpec((8, 8, 1), num_levels=17)
    model = Autoencoder(coder=DenseCoder(()), latent_dim=8, optimizer=Optimizer(learning_rate=1e-2))
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
    update = jax.jit(model.update)
    for step in range(400):
        state, _ = update(state, {"image": digits}, rngs_from_seed(0).at(step))
    ours = float(model.evaluate(state, {"image": digits}, rngs_from_seed(0))["mse"].mean())
    x = digits.reshape(len(digits), -1) / 16
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    pca = (singular[8:] ** 2).sum() / x.size
    # The sigmoid after the linear decoder can only help: 0 and 1 are where most values lie.
    assert ours < 1.05 * pca


def test_noise_is_on_the_input_and_not_on_the_target():
    model = Autoencoder(coder=DenseCoder((7,)), noise=0.4)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
    rngs, batch = rngs_from_seed(5), {"image": IMAGES}
    noisy = np.asarray(model.corrupt(state, rngs, batch))
    x = IMAGES / 15
    noise = 0.4 * np.asarray(jax.random.normal(rngs("corruption"), x.shape))
    np.testing.assert_array_equal(noisy, np.round(np.clip(x + noise, 0, 1) * 15))
    plain = Autoencoder(coder=DenseCoder((7,)))
    expected = plain.evaluate(state, {"image": noisy}, rngs)
    # The same network on the noisy levels, but scored against the clean image.
    assert not np.allclose(model.evaluate(state, batch, rngs)["mse"], expected["mse"])
    code = np.asarray(plain.encode(state, batch))
    np.testing.assert_array_equal(model.encode(state, batch), code)


def test_ssim_is_scikit_images():
    spec = DataSpec((12, 14, 3))
    images = np.random.default_rng(1).integers(0, 256, (2, 12, 14, 3)).astype(np.uint8)
    model = Autoencoder(coder=ConvCoder((4,), (2,), dense=None), latent_dim=4)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
    figures = model.evaluate(state, {"image": images}, rngs_from_seed(0))
    logits = model._logits(state.params, jnp.asarray(images) / 255, spec)
    y = np.asarray(jax.nn.sigmoid(logits), np.float64)
    expected = [
        structural_similarity(
            a / 255,
            b,
            channel_axis=-1,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(images, y, strict=True)
    ]
    np.testing.assert_allclose(figures["ssim"], expected, atol=1e-4)
