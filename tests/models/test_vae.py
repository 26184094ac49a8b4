"""The VAE against closed forms."""

import dataclasses
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from skimage.metrics import structural_similarity

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError
from gm_jax.functional.dequantization import uniform_dequantize
from gm_jax.functional.likelihoods import gaussian_log_prob
from gm_jax.model import kind_of
from gm_jax.models import vae
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder, DenseCoder
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

SPEC = DataSpec((2, 2, 1), num_levels=8)
D, K, SIGMA = 4, 2, 0.3


@pytest.fixture(scope="module")
def linear():
    """A linear-Gaussian VAE with known weights, three images, and its parts in NumPy."""
    model = VAE(coder=DenseCoder(hidden=()), latent_dim=K, likelihood="gaussian", scale=SIGMA)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0).at("init"), SPEC)
    rng = np.random.default_rng(0)
    w, b = rng.normal(0, 0.4, (K, D)), rng.normal(0.5, 0.1, D)
    # Near the true posterior, but not it: a shifted mean, and a width that covers it.
    posterior = np.linalg.inv(np.eye(K) + w @ w.T / SIGMA**2)
    a, c = w.T @ posterior / SIGMA**2, -b @ w.T @ posterior / SIGMA**2 + 0.1
    log_var = np.log(np.diag(posterior)) + 0.4
    encoder = {
        "kernel": jnp.asarray(np.stack([a, np.zeros((D, K))], -1).reshape(D, 2 * K), jnp.float32),
        "bias": jnp.asarray(np.stack([c, log_var], -1).reshape(-1), jnp.float32),
    }
    decoder = {"kernel": jnp.asarray(w, jnp.float32), "bias": jnp.asarray(b, jnp.float32)}
    params = {
        "encoder": {"MLP_0": {"Dense_0": encoder}},
        "decoder": {"MLP_0": {"Dense_0": decoder}},
    }
    chex.assert_trees_all_equal_shapes(params, state.params)
    images = rng.integers(0, 8, (3, 2, 2, 1)).astype(np.uint8)
    return model, state.replace(params=params), images, (w, b, a, c, log_var)


def test_neg_elbo_is_its_closed_form(linear):
    model, state, images, (w, b, a, c, log_var) = linear
    levels = images.reshape(3, D)
    mean = levels / 7 @ a + c  # [3, K]
    variance = np.exp(log_var)
    # x = (levels + u) / 8 with u ~ U[0, 1): its mean, and its variance 1 / (12 * 64) a value.
    residual = (((levels + 0.5) / 8 - mean @ w - b) ** 2).sum(1) + D / (12 * 64)
    spread = (variance[:, None] * w**2).sum()
    log_px_z = -D / 2 * math.log(2 * math.pi * SIGMA**2) - (residual + spread) / (2 * SIGMA**2)
    kl = 0.5 * (mean**2 + variance - log_var - 1).sum(1)
    expected = -(log_px_z - D * math.log(8)) + kl

    draw = jax.jit(
        jax.vmap(lambda i: model.evaluate(state, {"image": images}, rngs_from_seed(0).at(i)))
    )
    figures = draw(jnp.arange(20_000))
    chex.assert_shape(figures["neg_elbo"], (20_000, 3))
    samples = np.asarray(figures["neg_elbo"], np.float64)
    stderr = samples.std(0) / math.sqrt(len(samples))
    np.testing.assert_array_less(np.abs(samples.mean(0) - expected), 5 * stderr)
    assert stderr.max() < 0.05
    np.testing.assert_allclose(figures["kl"][0], kl, rtol=1e-5)
    np.testing.assert_allclose(
        figures["bits_per_dim"], figures["neg_elbo"] / (D * math.log(2)), rtol=1e-6
    )


def test_iwae_grows_with_k_and_meets_the_exact_log_likelihood(linear):
    model, state, images, (w, b, *_) = linear
    log_prob = jax.jit(model.log_prob, static_argnums=3)
    covariance = w.T @ w + SIGMA**2 * np.eye(D)

    def gap(k: int, seed: int) -> np.ndarray:
        """Exact minus IWAE-K, for the same dequantized images."""
        rngs = rngs_from_seed(seed)
        x = np.asarray(uniform_dequantize(rngs("dequantization"), images, 8)).reshape(3, D)
        exact = stats.multivariate_normal(b, covariance).logpdf(x) - D * math.log(8)
        return exact - np.asarray(log_prob(state, {"image": images}, rngs, k))

    mean_gaps = [np.mean([gap(k, seed) for seed in range(60)]) for k in (1, 5, 50)]
    assert mean_gaps[0] > 2 * mean_gaps[1] > 4 * mean_gaps[2] > 0
    np.testing.assert_allclose(gap(5000, 0), 0.0, atol=0.03)


@pytest.mark.parametrize("at_once", [1, 6, 12])
def test_iwae_is_the_same_however_few_are_decoded_at_once(linear, monkeypatch, at_once):
    """12 decodes are 4 of each of 3 images, and 10 samples leave a rest."""
    model, state, images, _ = linear
    batch, rngs = {"image": images}, rngs_from_seed(0)
    expected = model.log_prob(state, batch, rngs, 10)
    monkeypatch.setattr(vae, "_DECODED_AT_ONCE", at_once)
    chex.assert_trees_all_close(model.log_prob(state, batch, rngs, 10), expected, rtol=1e-5)


def gradients(linear, num_draws, beta=1.0, **fields):
    """Of the loss by the parameters, of each of many draws: encoder's and decoder's, [N, P]."""
    model, state, images, _ = linear
    model = dataclasses.replace(model, **fields)

    def loss(params, i):
        rngs = rngs_from_seed(1).at(i)
        return -model._weighted_terms(params, images, rngs, SPEC, beta)[0].mean()

    def flat(i):
        grads = jax.grad(loss)(state.params, i)
        return [
            jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(grads[part])])
            for part in ("encoder", "decoder")
        ]

    return [np.asarray(g, np.float64) for g in jax.jit(jax.vmap(flat))(jnp.arange(num_draws))]


@pytest.mark.parametrize(("num", "beta"), [(6, 1.0), (6, 0.4), (1, 1.0)])
def test_the_doubly_reparameterized_gradient_is_the_same_on_average_and_less_noisy(
    linear, num, beta
):
    n = 20_000
    plain, decoder = gradients(linear, n, beta, train_samples=num)
    dreg, same = gradients(linear, n, beta, train_samples=num, gradient="dreg")
    np.testing.assert_allclose(same, decoder, rtol=1e-3, atol=1e-3)  # that of p is left alone
    stderr = np.sqrt((plain.var(0) + dreg.var(0)) / n)
    difference = np.abs(plain.mean(0) - dreg.mean(0))
    np.testing.assert_array_less(difference, 5 * stderr + 1e-5)
    noise, signal = dreg.var(0).sum(), (plain.mean(0) ** 2).sum()
    assert noise < 0.6 * plain.var(0).sum()
    assert stderr.max() < 0.2 * math.sqrt(signal)  # a wrong mean would show


@pytest.mark.slow
def test_with_one_latent_it_is_the_path_derivative_of_the_elbo(linear):
    """Roeder et al. 2017: the ELBO's gradient through z alone."""
    model, state, images, _ = linear
    model = dataclasses.replace(model, gradient="dreg", beta=0.7)
    rngs, batch = rngs_from_seed(2), {"image": images}

    def path_loss(encoder):
        params = {**state.params, "encoder": encoder}
        mean, log_scale = model._posterior(params, images, SPEC)
        noise = jax.random.normal(rngs("reparameterization"), (1, *mean.shape))[0]
        z = mean + jnp.exp(log_scale) * noise
        fixed = jax.lax.stop_gradient((mean, log_scale))
        log_ratio = gaussian_log_prob(z, 0.0, 0.0) - gaussian_log_prob(z, *fixed)
        outputs = model._decode(params, z, SPEC)
        log_px_z = model._observation.log_prob(rngs("dequantization"), outputs, images, 8)
        return -(log_px_z + 0.7 * log_ratio.sum(1)).mean()

    expected_loss, expected = jax.value_and_grad(path_loss)(state.params["encoder"])
    sgd = dataclasses.replace(model, optimizer=Optimizer(name="sgd", b1=0.0, learning_rate=1.0))
    fresh = jax.jit(sgd.init, static_argnums=1)(rngs_from_seed(0).at("init"), SPEC)
    after, metrics = sgd.update(fresh.replace(params=state.params), batch, rngs)
    moved = jax.tree.map(lambda a, b: a - b, state.params, after.params)
    np.testing.assert_allclose(metrics["loss"], expected_loss, rtol=1e-5)
    chex.assert_trees_all_close(moved["encoder"], expected, rtol=1e-3, atol=1e-3)


def test_the_loss_of_several_latents_is_the_importance_weighted_bound(linear):
    """Between the ELBO and log p(x), and the same number that `evaluate` calls neg_iwae."""
    model, state, images, _ = linear
    batch = {"image": images}
    several = dataclasses.replace(model, train_samples=20)
    assert several.figure_kinds(SPEC)["neg_iwae"] == "bound"

    def figures(i):
        rngs = rngs_from_seed(3).at(i)
        found = several.evaluate(state, batch, rngs)
        loss = several.update(state, batch, rngs)[1]
        exact = -several.log_prob(state, batch, rngs, 500).mean()
        return found["neg_elbo"].mean(), found["neg_iwae"].mean(), loss, exact

    neg_elbo, neg_iwae, metrics, exact = jax.jit(jax.vmap(figures))(jnp.arange(200))

    def agree(a, b):
        assert abs(a.mean() - b.mean()) < 5 * math.sqrt((a.var() + b.var()) / len(a))

    assert neg_elbo.mean() > metrics["loss"].mean() + 0.1 > exact.mean() + 0.1
    agree(metrics["loss"], neg_iwae)
    agree(metrics["neg_elbo"], neg_elbo)
    assert "neg_iwae" not in model.evaluate(state, batch, rngs_from_seed(0))


@pytest.mark.parametrize("coder", [DenseCoder((8,)), ConvCoder((4,), (2,), dense=None)])
def test_several_latents_of_any_coder_and_the_warm_up(coder):
    batch = {"image": np.full((3, 4, 5, 3), 3, np.uint8)}
    model = VAE(
        coder=coder, latent_dim=2, likelihood="categorical", train_samples=3, gradient="dreg",
        warmup_steps=10,
    )  # fmt: skip
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), DataSpec((4, 5, 3), 8))
    after, metrics = jax.jit(model.update)(state, batch, rngs_from_seed(1))
    chex.assert_tree_all_finite((after.params, metrics))
    assert metrics["loss"] < metrics["neg_elbo"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train_samples": 0}, "VAE.train_samples must be greater than 0"),
        ({"train_samples": 2, "beta": 0.5}, "VAE.beta 0.5 does not go with train_samples 2"),
        ({"train_samples": 2, "free_bits": 0.5}, "VAE.free_bits 0.5 needs the KL's closed form"),
        ({"gradient": "dreg", "free_bits": 0.5}, "VAE.free_bits 0.5 needs the KL's closed form"),
        ({"gradient": "path"}, "VAE.gradient must be one of"),
    ],
)
def test_what_does_not_go_together(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        VAE(**fields)
    assert "\n" not in str(error.value)


def test_losses_do_not_depend_on_the_batch_size():
    model = VAE(coder=DenseCoder(hidden=(8,)), latent_dim=2, likelihood="categorical")
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
    image, update = np.zeros((1, 2, 2, 1), np.uint8), jax.jit(model.update)
    losses = [
        np.mean(
            [
                update(state, {"image": np.repeat(image, n, 0)}, rngs_from_seed(s))[1]["loss"]
                for s in range(64 // n)
            ]
        )
        for n in (4, 64)
    ]
    np.testing.assert_allclose(*losses, rtol=0.05)


def test_warm_up_and_free_bits_enter_the_loss():
    batch = {"image": np.full((4, 2, 2, 1), 3, np.uint8)}

    def metrics(**kwargs):
        model = VAE(coder=DenseCoder(hidden=(8,)), latent_dim=2, likelihood="categorical", **kwargs)
        state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
        return model.update(state, batch, rngs_from_seed(1))[1]

    plain = metrics()
    np.testing.assert_allclose(plain["loss"], plain["reconstruction"] + plain["kl"], rtol=1e-6)
    np.testing.assert_allclose(plain["loss"], plain["neg_elbo"], rtol=1e-6)
    warm = metrics(warmup_steps=10, beta=2.0)
    np.testing.assert_allclose(warm["loss"], warm["reconstruction"] + 0.2 * warm["kl"], rtol=1e-6)
    free = metrics(free_bits=5.0)
    np.testing.assert_allclose(free["loss"], free["reconstruction"] + 10.0, rtol=1e-6)


@pytest.mark.parametrize(
    "likelihood",
    ["bernoulli", "gaussian", "gaussian_learned", "categorical", "discretized_logistic"],
)
@pytest.mark.parametrize(
    "coder",
    [DenseCoder((8,)), ConvCoder((4, 4), (2, 1), dense=8), ConvCoder((4,), (2,), dense=None)],
    ids=["dense", "conv", "map"],
)
def test_shapes_and_ranges(likelihood, coder):
    spec = DataSpec((5, 6, 3), num_levels=4)
    model = VAE(coder=coder, latent_dim=2, likelihood=likelihood)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
    rngs, batch = rngs_from_seed(1), {"image": np.ones((7, 5, 6, 3), np.uint8)}
    for image in (
        model.sample(state, rngs, 7),
        model.reconstruct(state, rngs, batch),
        model.decode(state, model.encode(state, batch)),
    ):
        chex.assert_shape(image, (7, 5, 6, 3))
        chex.assert_type(image, np.uint8)
        assert int(image.max()) <= 3
    means = model.sample_means(state, rngs, 7)
    chex.assert_shape(means, (7, 5, 6, 3))
    assert 0.0 <= float(means.min()) <= float(means.max()) <= 1.0
    figures = model.evaluate(state, batch, rngs)
    chex.assert_tree_all_finite(figures)
    for value in figures.values():
        chex.assert_shape(value, (7,))
    assert ("bits_per_dim" in figures) == (likelihood != "bernoulli")
    assert model.figure_kinds(spec)["neg_elbo"] == (
        "surrogate" if likelihood == "bernoulli" else "bound"
    )


def test_the_probabilities_of_all_images_sum_to_one():
    """exp(log p) of a VAE whose decoder ignores z, over all 3^4 images."""
    spec = DataSpec((2, 2, 1), num_levels=3)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 2, 2, 1)
    for likelihood in ("categorical", "discretized_logistic"):
        model = VAE(coder=DenseCoder(()), latent_dim=2, likelihood=likelihood)
        state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
        decoder = state.params["decoder"]["MLP_0"]["Dense_0"]
        decoder["kernel"] = 0.0 * decoder["kernel"]
        decoder["bias"] = jax.random.normal(jax.random.key(0), decoder["bias"].shape)
        # A posterior equal to the prior: IWAE is then exact for any K.
        encoder = state.params["encoder"]["MLP_0"]["Dense_0"]
        state.params["encoder"]["MLP_0"]["Dense_0"] = jax.tree.map(jnp.zeros_like, encoder)
        log_prob = model.log_prob(state, {"image": grid.astype(np.uint8)}, rngs_from_seed(0))
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_computes_close_to_float32():
    batch = {"image": np.arange(4 * 64).reshape(4, 8, 8, 1).astype(np.uint8)}
    spec, results = DataSpec((8, 8, 1)), {}
    for dtype in ("float32", "bfloat16"):
        model = VAE(coder=ConvCoder((4,), (2,), dense=8), latent_dim=2, dtype=dtype)
        state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
        chex.assert_trees_all_equal_dtypes(state.params, jax.tree.map(jnp.float32, state.params))
        new_state, metrics = jax.jit(model.update)(state, batch, rngs_from_seed(1))
        assert metrics["loss"].dtype == jnp.float32
        results[dtype] = float(metrics["loss"])
        chex.assert_tree_all_finite(new_state.params)
    np.testing.assert_allclose(results["bfloat16"], results["float32"], rtol=0.02)


def test_the_moving_average_is_what_is_evaluated():
    optimizer = Optimizer(learning_rate=0.1, ema_decay=0.5, ema_warmup=False)
    model = VAE(coder=DenseCoder(()), latent_dim=1, likelihood="categorical", optimizer=optimizer)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
    batch = {"image": np.ones((2, 2, 2, 1), np.uint8)}
    new_state, _ = model.update(state, batch, rngs_from_seed(0))
    expected = jax.tree.map(lambda old, new: (old + new) / 2, state.params, new_state.params)
    chex.assert_trees_all_close(new_state.eval_params, expected, rtol=1e-6)


def test_a_condition_is_refused():
    model = VAE(coder=DenseCoder(()), latent_dim=1)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), SPEC)
    with pytest.raises(UserError, match="trained without labels"):
        model.sample(state, rngs_from_seed(0), 1, condition=np.zeros(1, np.int32))


def test_mse_is_that_of_the_mean_image_on_the_scale_of_levels(linear):
    """The decoder's mean lies among bins of width 1 / 8, the levels at k / 7."""
    model, state, images, (w, b, a, c, _) = linear
    levels = images.reshape(3, D)
    decoded = (levels / 7 @ a + c) @ w + b  # [3, D]
    unit = np.clip((decoded * 8 - 0.5) / 7, 0, 1)
    figures = jax.jit(model.evaluate)(state, {"image": images}, rngs_from_seed(0))
    np.testing.assert_allclose(figures["mse"], ((unit - levels / 7) ** 2).mean(1), rtol=1e-5)
    image = model.reconstruct(state, rngs_from_seed(0), {"image": images})
    np.testing.assert_array_equal(np.reshape(image, (3, D)), np.rint(7 * unit))
    np.testing.assert_allclose(figures["psnr"], -10 * np.log10(figures["mse"]), rtol=1e-5)
    p = np.clip(unit, 1e-7, 1 - 1e-7)
    cross_entropy = -(levels / 7 * np.log(p) + (1 - levels / 7) * np.log1p(-p)).mean(1)
    np.testing.assert_allclose(figures["bce"], cross_entropy, rtol=1e-3)
    assert "ssim" not in figures  # of images this small
    # In training they are those of the drawn code, here as good as the mean.
    encoder = jax.tree.map(lambda p: p, state.params["encoder"])
    encoder["MLP_0"]["Dense_0"]["bias"] = jnp.asarray([c, np.full(K, -30.0)]).T.reshape(-1)
    sure = state.replace(params={**state.params, "encoder": encoder})
    for num in (1, 2):
        several = dataclasses.replace(model, train_samples=num)
        metrics = jax.jit(several.update)(sure, {"image": images}, rngs_from_seed(0))[1]
        np.testing.assert_allclose(metrics["mse"], figures["mse"].mean(), rtol=1e-3)
        np.testing.assert_allclose(metrics["psnr"], figures["psnr"].mean(), rtol=1e-3)


def test_ssim_is_scikit_images():
    images = np.random.default_rng(1).integers(0, 256, (2, 11, 13, 3)).astype(np.uint8)
    spec = DataSpec((11, 13, 3))
    model = VAE(coder=DenseCoder(()), latent_dim=2)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
    figures = jax.jit(model.evaluate)(state, {"image": images}, rngs_from_seed(0))
    mean = model._posterior(state.params, images, spec)[0]
    means = np.asarray(jax.nn.sigmoid(model._decode(state.params, mean, spec)), np.float64)
    expected = [
        structural_similarity(
            a / 255, b, channel_axis=-1, data_range=1.0, gaussian_weights=True,
            use_sample_covariance=False,
        )
        for a, b in zip(images, means, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(figures["ssim"], expected, atol=1e-4)
    assert kind_of(model, "ssim", spec) == kind_of(model, "bce", spec) == "error"
