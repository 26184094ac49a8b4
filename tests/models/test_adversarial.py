"""GAN, DCGAN and CGAN: shapes, statistics, conditions, and what they refuse."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError
from gm_jax.functional.adversarial import gradient_penalty
from gm_jax.model import Family, HasLatents, Samples
from gm_jax.models.cgan import CGAN
from gm_jax.models.dcgan import DCGAN
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import ConvDiscriminator, DenseDiscriminator
from gm_jax.nets.generators import ConvGenerator, DenseGenerator, stage_widths
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed
from gm_jax.sampling import LatentSampling

TINY = DataSpec((8, 8, 1), num_levels=17, num_classes=3)
DENSE = {
    "generator": DenseGenerator(hidden=(8,), norm="batch"),
    "discriminator": DenseDiscriminator(hidden=(8,), norm="layer", dropout=0.2),
}
CONV = {
    "generator": ConvGenerator(width=4, norm="batch", init_scale=0.02),
    "discriminator": ConvDiscriminator(width=4, norm="spectral", init_scale=0.02),
}


def batch_of(spec, num=6, seed=0):
    rng = np.random.default_rng(seed)
    batch = {"image": rng.integers(0, spec.num_levels, (num, *spec.shape)).astype(np.uint8)}
    if spec.num_classes is not None:
        batch["label"] = np.arange(num, dtype=np.int32) % spec.num_classes
    return batch


def trained(model, spec=TINY, steps=2):
    root = rngs_from_seed(0)
    state = jax.jit(model.init, static_argnums=1)(root.at("init"), spec)
    update = jax.jit(model.update)
    for t in range(steps):
        state, metrics = update(state, batch_of(spec, seed=t), root.at("train", t))
    return state, metrics


FEW_GAMES = {
    (GAN, "conv", "wgan_gp"),
    (CGAN, "conv", "non_saturating"),
    (CGAN, "dense", "least_squares"),
}
GAMES = [
    pytest.param(
        family,
        nets,
        loss,
        id=f"{family.__name__}-{name}-{loss}",
        marks=() if (family, name, loss) in FEW_GAMES else pytest.mark.slow,
    )
    for family in (GAN, CGAN)
    for name, nets in {"dense": DENSE, "conv": CONV}.items()
    for loss in ("non_saturating", "wgan_gp", "hinge", "least_squares")
]


@pytest.mark.parametrize(("family", "nets", "loss"), GAMES)
def test_every_game_with_every_network(family, nets, loss):
    model = family(**nets, loss=loss, latent_dim=5)
    assert isinstance(model, Family)
    assert isinstance(model, Samples)
    assert isinstance(model, HasLatents)
    state, metrics = trained(model)
    chex.assert_tree_all_finite((metrics, state.params, state.model_state))
    figures = jax.jit(model.evaluate)(state, batch_of(TINY), rngs_from_seed(1))
    chex.assert_shape(list(figures.values()), (6,))
    images = model.sample(state, rngs_from_seed(2), 4)
    chex.assert_shape(images, (4, 8, 8, 1))
    chex.assert_type(images, np.uint8)
    assert images.max() < 17


@pytest.mark.parametrize("size", [12, 28, 32, 64, 128, (20, 33)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("latent_dim", [1, 10])
def test_dcgan_fits_any_image(size, channels, latent_dim):
    shape = (*(size if isinstance(size, tuple) else (size, size)), channels)
    model = DCGAN(
        generator=ConvGenerator(width=2, norm="batch"),
        discriminator=ConvDiscriminator(width=2, norm="batch"),
        latent_dim=latent_dim,
    )
    spec = DataSpec(shape)
    state = jax.eval_shape(lambda: model.init(rngs_from_seed(0), spec))
    sample = jax.eval_shape(lambda s: model.sample(s, rngs_from_seed(0), 3), state)
    chex.assert_shape(sample, (3, *shape))
    after, _ = jax.eval_shape(model.update, state, batch_of(spec), rngs_from_seed(0))
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)


@pytest.mark.slow
def test_the_papers_maps():
    # Radford et al. 2016, figure 1: 4x4x1024 for 64 pixels, with a width of 128.
    assert stage_widths((64, 64, 3), 128) == (128, 256, 512, 1024)
    assert stage_widths((28, 28, 1), 64) == (64, 128)
    assert len(stage_widths((32, 32, 3), 64)) == 3
    assert len(stage_widths((128, 128, 3), 64)) == 5
    state = DCGAN().init(rngs_from_seed(0), DataSpec((64, 64, 3)))
    generator, discriminator = state.params["generator"], state.params["discriminator"]
    shapes = [generator[f"ConvTranspose_{i}"]["kernel"].shape for i in range(4)]
    assert shapes == [(4, 4, 512, 256), (4, 4, 256, 128), (4, 4, 128, 64), (4, 4, 64, 3)]
    assert generator["Dense_0"]["kernel"].shape == (100, 4 * 4 * 512)
    assert [discriminator[f"Conv_{i}"]["kernel"].shape[-1] for i in range(4)] == [64, 128, 256, 512]
    kernels = [p["kernel"] for p in generator.values() if "kernel" in p]
    for kernel in kernels:
        np.testing.assert_allclose(np.std(kernel), 0.02, rtol=0.1)
    # Neither the last layer of one nor the first of the other is normalized.
    assert len([name for name in generator if name.startswith("Norm")]) == 4
    assert len([name for name in discriminator if "BatchNorm_0" in discriminator[name]]) == 3


def test_the_smallest_map_may_be_left_without_an_activation():
    """Then a generator whose other maps have none either is affine in z."""
    z = jax.random.normal(jax.random.key(1), (5, 3))
    bends = []
    for activated in (True, False):
        config = ConvGenerator(
            output="linear",
            features=(4,),
            strides=(2,),
            upsampling="nearest",
            dense_activation=activated,
        )
        net = config.module((4, 4, 1), jnp.float32)
        variables = net.init(jax.random.key(0), z, None, train=False)
        f = functools.partial(net.apply, variables, condition=None, train=False)
        bends.append(float(jnp.abs(f(z) + f(-z) - 2 * f(0 * z)).max()))
    assert bends[0] > 0.1
    assert bends[1] < 1e-5


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_there_may_be_no_biases(norm):
    """But those of batch norm, which belong to it."""
    for biases in (True, False):
        options = {"norm": norm, "biases": biases}
        variables = [
            config(**options)
            .module(*shape, jnp.float32)
            .init(jax.random.key(0), x, None, train=False)
            for config, shape, x in (
                (DenseGenerator, [(8, 8, 1)], jnp.zeros((1, 3))),
                (ConvGenerator, [(8, 8, 1)], jnp.zeros((1, 3))),
                (DenseDiscriminator, [], jnp.zeros((1, 8, 8, 1))),
                (ConvDiscriminator, [], jnp.zeros((1, 8, 8, 1))),
            )
        ]
        found = [
            {
                path[0].key
                for path, _ in jax.tree_util.tree_leaves_with_path(v["params"])
                if path[-1].key == "bias" and "Norm" not in str(path)
            }
            for v in variables
        ]
        assert all(found) == any(found) == biases


@pytest.mark.slow
def test_batch_norm_sees_one_kind_of_image_at_a_time():
    """The loss is that of two batches, each normalized by its own mean and variance."""
    model = GAN(
        generator=DenseGenerator(hidden=(4,)),
        discriminator=DenseDiscriminator(hidden=(4,), norm="batch"),
        latent_dim=2,
    )
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), TINY)
    batch, rngs = batch_of(TINY), rngs_from_seed(5)
    _, metrics = model.update(state, batch, rngs)

    def logits(x):  # [B, 64] in float64, the discriminator by hand
        p = jax.tree.map(lambda a: np.asarray(a, np.float64), state.params["discriminator"])
        h = x @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"]
        h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
        h = np.where(h > 0, h, 0.2 * h)
        return (h @ p["Dense_1"]["kernel"] + p["Dense_1"]["bias"])[:, 0]

    z = jax.random.normal(rngs("noise/discriminator"), (6, 2))
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), state.params["generator"])
    h = np.maximum(np.asarray(z, np.float64) @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"], 0)
    fake = np.tanh(h @ p["Dense_1"]["kernel"] + p["Dense_1"]["bias"])
    real = batch["image"].reshape(6, -1) / 8 - 1.0
    expected = np.logaddexp(0, -logits(real)).mean() + np.logaddexp(0, logits(fake)).mean()
    np.testing.assert_allclose(metrics["discriminator_loss"], expected, rtol=1e-4)


def test_wgan_gp_adds_the_penalty_of_its_own_critic():
    model = GAN(**DENSE, loss="wgan_gp", gradient_penalty=7.0, latent_dim=2)
    model = dataclasses.replace(model, discriminator=DenseDiscriminator(hidden=(8,), norm="layer"))
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), TINY)
    rngs, batch = rngs_from_seed(5), batch_of(TINY)
    _, metrics = jax.jit(model.update)(state, batch, rngs)
    module = model.discriminator.module(jnp.float32)

    def critic(x):
        return module.apply({"params": state.params["discriminator"]}, x, None, train=False)

    z = jax.random.normal(rngs("noise/discriminator"), (6, 2))
    fake, _ = model.generator.module(TINY.shape, jnp.float32).apply(
        {"params": state.params["generator"], **state.model_state["generator"]},
        z,
        None,
        train=True,
        mutable=["batch_stats"],
    )
    real = batch["image"].astype(np.float32) / 8 - 1
    penalty = gradient_penalty(rngs("interpolation"), critic, real, fake).mean()
    np.testing.assert_allclose(metrics["gradient_penalty"], penalty, rtol=1e-5)
    expected = critic(fake).mean() - critic(real).mean() + 7.0 * penalty
    np.testing.assert_allclose(metrics["discriminator_loss"], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["spectral", "batch"])
def test_statistics_are_finite_after_2000_steps(norm):
    model = DCGAN(
        generator=ConvGenerator(width=2, norm="batch", init_scale=0.02),
        discriminator=ConvDiscriminator(features=(2, 4), norm=norm, init_scale=0.02),
        latent_dim=4,
        loss="hinge",
    )
    root = rngs_from_seed(0)
    batch = jax.tree.map(jnp.asarray, batch_of(TINY, 8))

    @jax.jit
    def many(state):
        def body(state, t):
            state, metrics = model.update(state, batch, root.at("train", t))
            return state, metrics["loss"]

        return jax.lax.scan(body, state, jnp.arange(2000))

    state, losses = many(model.init(root.at("init"), TINY))
    statistics = jax.tree.leaves(state.model_state["discriminator"])
    assert statistics
    assert jax.tree.leaves(state.model_state["generator"])
    chex.assert_tree_all_finite((state.model_state, state.params, losses))
    if norm == "spectral":
        # What is divided by is the largest singular value, by NumPy's decomposition.
        conv = np.asarray(state.params["discriminator"]["Conv_0"]["kernel"])
        stats = state.model_state["discriminator"]["batch_stats"]["SpectralNorm_0"]
        sigma = next(v for name, v in stats.items() if name.endswith("sigma"))
        largest = np.linalg.svd(conv.reshape(-1, conv.shape[-1]), compute_uv=False)[0]
        np.testing.assert_allclose(sigma, largest, rtol=0.02)


def test_labels_change_the_sample_and_take_turns():
    model = CGAN(**DENSE, latent_dim=5)
    state, _ = trained(model)
    rngs = rngs_from_seed(2)
    z = model.draw_latents(state, rngs, 6)
    same = model.decode(state, jnp.tile(z[:1], (3, 1)), jnp.arange(3))
    assert len(np.unique(np.asarray(same), axis=0)) == 3
    in_turn = model.decode(state, z, jnp.array([0, 1, 2, 0, 1, 2]))
    chex.assert_trees_all_equal(model.sample(state, rngs, 6), in_turn)
    chex.assert_trees_all_equal(model.sample(state, rngs, 6, np.arange(6) % 3), in_turn)


def test_truncation_bounds_the_latents():
    model = GAN(latent_dim=50)
    cut = GAN(latent_dim=50, sampling=LatentSampling(0.5))
    z = np.asarray(cut.draw_latents(None, rngs_from_seed(0), 200))
    assert np.abs(z).max() <= 0.5
    assert np.abs(z).max() > 0.49
    plain = np.asarray(model.draw_latents(None, rngs_from_seed(0), 200))
    assert abs(plain.std() - 1) < 0.02


def test_the_average_is_what_samples_come_from():
    model = GAN(**DENSE, latent_dim=5, generator_optimizer=Optimizer(ema_decay=0.5))
    state, _ = trained(model)
    assert set(state.ema_params) == {"generator"}
    averaged = model.sample(state, rngs_from_seed(2), 4)
    raw = model.sample(state.replace(ema_params=None), rngs_from_seed(2), 4)
    assert (averaged != raw).any()
    swapped = {**state.params, "generator": state.ema_params["generator"]}
    by_hand = model.sample(state.replace(ema_params=None, params=swapped), rngs_from_seed(2), 4)
    chex.assert_trees_all_equal(averaged, by_hand)


def test_sigmoid_and_tanh_see_images_in_their_range():
    image = jnp.array([0, 8, 16], jnp.uint8)
    unit = GAN(generator=DenseGenerator(output="sigmoid"))._scaled(image, TINY)
    np.testing.assert_allclose(unit, [0, 0.5, 1])
    np.testing.assert_allclose(GAN()._scaled(image, TINY), [-1, 0, 1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GAN(loss="wgan"), "wgan"),
        (lambda: GAN(latent_dim=0), "latent_dim"),
        (lambda: GAN(discriminator_steps=0), "discriminator_steps"),
        (lambda: GAN(loss="hinge", real_label=0.9), "real_label"),
        (lambda: GAN(real_label=1.2), "real_label must be at most 1"),
        (lambda: DCGAN(loss="wgan_gp"), "discriminator.norm"),
        (lambda: GAN(discriminator_optimizer=Optimizer(ema_decay=0.9)), "ema_decay"),
        (lambda: ConvGenerator(features=(8, 4), strides=(2,)), "strides"),
        (lambda: ConvGenerator(strides=(4,)), "strides"),
        (lambda: ConvDiscriminator(features=(8, 4), strides=(2,)), "strides"),
        (lambda: GAN(**DENSE).check_batch(1), "generator.norm batch learns nothing"),
        (lambda: DCGAN().check_batch(1), "norm batch learns nothing"),
        (lambda: DenseDiscriminator(norm="group"), "norm"),
        (lambda: DenseGenerator(hidden=(0,)), "hidden"),
        (lambda: GAN().init(rngs_from_seed(0), DataSpec((1, 1, 2), continuous=True)), "linear"),
        (lambda: CGAN().init(rngs_from_seed(0), DataSpec((4, 4, 1))), "labels"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()


def test_a_label_to_an_unconditional_family_is_refused():
    model = GAN(**DENSE, latent_dim=5)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), TINY)
    with pytest.raises(UserError, match="without labels"):
        model.sample(state, rngs_from_seed(0), 2, np.array([0, 1]))


@pytest.mark.slow
def test_the_averaged_generator_has_averaged_statistics():
    """Those of the generator at each of its steps, averaged as its parameters are."""
    optimizer = Optimizer(ema_decay=0.5, ema_warmup=False)
    model = DCGAN(generator_optimizer=optimizer, discriminator_steps=2).quick()
    spec = DataSpec((8, 8, 1))
    state = model.init(rngs_from_seed(0), spec)
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 8, 8, 1), np.uint8)
    update = jax.jit(model.update)
    expected = state.model_state["generator"]
    for step, image in enumerate(images):
        state, _ = update(state, {"image": image}, rngs_from_seed(step))
        if step % 2:  # the generator moved
            live = state.model_state["generator"]
            expected = jax.tree.map(lambda a, b: 0.5 * (a + b), expected, live)
    chex.assert_trees_all_close(state.model_state["generator_average"], expected, rtol=1e-6)
    # Samples come from the averaged pair, those of a model that does not average statistics do not.
    own = model.sample(state, rngs_from_seed(9), 3)
    swapped = state.replace(model_state={**state.model_state, "generator": expected})
    chex.assert_trees_all_equal(model.sample(swapped, rngs_from_seed(9), 3), own)
    plain = dataclasses.replace(model, average_statistics=False)
    assert "generator_average" not in plain.init(rngs_from_seed(0), spec).model_state


def test_averaged_statistics_wait_for_the_whole_update():
    """Batches that only accumulate move neither the averaged parameters nor their statistics."""
    optimizer = Optimizer(ema_decay=0.5, accumulate_steps=3)
    model = GAN(**DENSE, latent_dim=5, generator_optimizer=optimizer)
    root = rngs_from_seed(0)
    state = jax.jit(model.init, static_argnums=1)(root.at("init"), TINY)
    update = jax.jit(model.update)
    for step in range(6):
        before = {**state.ema_params, "statistics": state.model_state["generator_average"]}
        state, _ = update(state, batch_of(TINY, seed=step), root.at("train", step))
        after = {**state.ema_params, "statistics": state.model_state["generator_average"]}
        for part in before:
            same = jax.tree.map(lambda a, b: bool((a == b).all()), before[part], after[part])
            assert all(jax.tree.leaves(same)) == (step % 3 != 2), (step, part)
