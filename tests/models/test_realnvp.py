"""RealNVP against closed forms, grids and enumeration."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError
from gm_jax.functional.dequantization import sigmoid_noise
from gm_jax.model import Encodes, Family, HasLatents, HasLogProb, Samples
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.couplings import ActNorm
from gm_jax.nets.flows import ImageFlow, VectorFlow
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed
from gm_jax.sampling import FlowSampling

POINTS = DataSpec((1, 1, 2), continuous=True, num_classes=3)
SMALL = VectorFlow(couplings=2, hidden=(8,))
IMAGES = ImageFlow(halvings=1, checkerboard=1, channelwise=1, width=2, blocks=0)
NOISE = ImageFlow(halvings=0, checkerboard=1, width=2, blocks=0)


def made(model, spec, spread=0.0):
    """A fresh state, its parameters moved at random by `spread`."""
    state = jax.jit(lambda: model.init(rngs_from_seed(0).at("init"), spec))()
    rng = np.random.default_rng(0)
    moved = jax.tree.map(
        lambda p: p + spread * rng.normal(size=p.shape).astype(np.float32), state.params
    )
    return state.replace(params=moved)


def all_images(num_levels, num_values):
    grid = np.stack(np.meshgrid(*[np.arange(num_levels)] * num_values, indexing="ij"), -1)
    return grid.reshape(-1, num_values, 1, 1).astype(np.uint8)


def batch_of(spec, num=6):
    rng = np.random.default_rng(0)
    image = rng.integers(0, spec.num_levels, (num, *spec.shape)).astype(np.uint8)
    return {"image": image, "label": np.arange(num, dtype=np.int32) % 3}


def test_a_density_of_points_integrates_to_1():
    model = RealNVP(flow=VectorFlow(couplings=4, hidden=(8,), log_scale_limit=0.5))
    state = made(model, POINTS, spread=0.3)
    samples = np.asarray(jax.jit(model.sample, static_argnums=2)(state, rngs_from_seed(0), 2000))
    low, high = samples.min((0, 1, 2)) - 3, samples.max((0, 1, 2)) + 3
    axes = [np.linspace(a, b, 400) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 1, 1, 2)
    batch = {"image": grid.astype(np.float32)}
    log_p = np.asarray(jax.jit(model.log_prob)(state, batch, rngs_from_seed(0)), np.float64)
    cell = math.prod(a[1] - a[0] for a in axes)
    np.testing.assert_allclose(np.exp(log_p).sum() * cell, 1.0, atol=0.01)
    # And it is the density of the samples: their mean is its mean.
    mean = (np.exp(log_p)[:, None] * grid.reshape(-1, 2)).sum(0) * cell
    spread = samples.std((0, 1, 2)) / math.sqrt(2000)
    np.testing.assert_array_less(np.abs(samples.mean((0, 1, 2)) - mean), 5 * spread)


def test_the_bound_meets_the_closed_form_of_independent_values():
    """At the start the flow is the identity: P(k) is a Gaussian's mass between two logits."""
    spec, alpha = DataSpec((2, 1, 1), num_levels=3), 0.05
    model = RealNVP(flow=SMALL, alpha=alpha)
    state, images = made(model, spec), all_images(3, 2)
    edges = special.logit(alpha + (1 - 2 * alpha) * np.arange(4) / 3)
    log_mass = np.log(np.diff(stats.norm.cdf(edges)))
    exact = log_mass[images.reshape(-1, 2)].sum(1)
    log_prob = jax.jit(model.log_prob, static_argnums=3)
    estimate = np.asarray(log_prob(state, {"image": images}, rngs_from_seed(0), 20_000))
    np.testing.assert_allclose(estimate, exact, atol=0.02)
    # The rest of the mass lies beyond the first and the last level.
    np.testing.assert_allclose(np.exp(exact).sum(), np.exp(log_mass).sum() ** 2)
    assert np.exp(exact).sum() < 1


@pytest.mark.parametrize("dequantization", ["uniform", "variational"])
def test_probabilities_of_all_images_are_those_of_a_fine_grid(dequantization):
    """K draws of either noise come to the integral of the density over each bin."""
    spec, side = DataSpec((2, 1, 1), num_levels=3), 150
    flow = VectorFlow(couplings=3, hidden=(8,), log_scale_limit=0.7)
    noise = VectorFlow(couplings=2, hidden=(8,), log_scale_limit=0.2, actnorm=False)
    model = RealNVP(flow=flow, dequantization=dequantization, dequantizer=noise)
    state, images = made(model, spec, spread=0.3), all_images(3, 2)
    if dequantization == "variational":
        # Noise that leaves no corner of a bin out, or the weights there would be rare and huge.
        state.params["dequantizer"] = jax.tree.map(lambda p: p / 2, state.params["dequantizer"])
    log_prob = jax.jit(model.log_prob, static_argnums=3)
    estimate = np.asarray(log_prob(state, {"image": images}, rngs_from_seed(0), 20_000))

    # The density on a grid of 150 midpoints a side in each bin, through NumPy's logit.
    x = (np.arange(3 * side) + 0.5) / (3 * side)
    p = 0.05 + 0.9 * x
    y = np.stack(np.meshgrid(special.logit(p), special.logit(p), indexing="ij"), -1)
    points = RealNVP(flow=flow)
    of_points = state.replace(spec=DataSpec((2, 1, 1), continuous=True))
    batch = {"image": y.reshape(-1, 2, 1, 1).astype(np.float32)}
    log_py = np.asarray(jax.jit(points.log_prob)(of_points, batch, rngs_from_seed(0)))
    slope = 0.9 / (p * (1 - p))
    density = np.exp(log_py.astype(np.float64)).reshape(3 * side, 3 * side) * np.outer(slope, slope)
    exact = density.reshape(3, side, 3, side).mean((1, 3)) / 9
    np.testing.assert_allclose(np.exp(estimate), exact.reshape(-1), rtol=0.02)
    assert np.exp(estimate).sum() < 1.01


def test_the_bound_grows_with_the_draws():
    spec = DataSpec((4, 4, 1), num_levels=4)
    model = RealNVP(flow=SMALL)
    state, batch = made(model, spec, spread=0.5), batch_of(spec, 50)
    log_prob = jax.jit(model.log_prob, static_argnums=3)
    means = [float(log_prob(state, batch, rngs_from_seed(1), k).mean()) for k in (1, 5, 50)]
    assert means[0] + 0.5 < means[1]
    assert means[1] + 0.5 < means[2]


def test_variational_noise_starts_uniform_and_learns():
    spec = DataSpec((4, 4, 1), num_levels=4)
    model = RealNVP(
        flow=SMALL,
        dequantization="variational",
        dequantizer=NOISE,
        optimizer=Optimizer(learning_rate=0.02),
    )
    state, batch = made(model, spec), batch_of(spec, 16)
    u = jax.jit(lambda: model._dequantize(state.params, jax.random.key(0), batch["image"], spec))()
    noise = np.asarray(u[0]) * 4 - batch["image"]
    assert stats.kstest(noise.ravel(), "uniform").pvalue > 0.01
    np.testing.assert_allclose(u[1], 0.0, atol=1e-3)
    before = jax.tree.leaves(state.params["dequantizer"])
    update = jax.jit(model.update)
    for t in range(3):
        state, metrics = update(state, batch, rngs_from_seed(0).at(t))
    after = jax.tree.leaves(state.params["dequantizer"])
    assert max(float(jnp.abs(a - b).max()) for a, b in zip(before, after, strict=True)) > 0.01
    assert math.isfinite(metrics["loss"])


def test_noise_stays_in_its_bin():
    w = jnp.array([-100.0, -3.0, 0.0, 3.0, 100.0])
    u, log_slope = sigmoid_noise(w)
    assert ((u >= 0) & (255 + u < 256)).all()
    np.testing.assert_allclose(
        np.exp(log_slope), jax.vmap(jax.grad(lambda w: sigmoid_noise(w)[0]))(w), atol=1e-6
    )


@pytest.mark.parametrize("flow", [VectorFlow(couplings=2, hidden=(8,)), IMAGES], ids=["v", "i"])
def test_images_through_the_latents_and_back(flow):
    spec = DataSpec((4, 6, 1), num_levels=256)
    model = RealNVP(flow=flow)
    for protocol in (Family, Samples, Encodes, HasLatents, HasLogProb):
        assert isinstance(model, protocol)
    state, batch = made(model, spec, spread=0.3), batch_of(spec)
    z = jax.jit(model.encode)(state, batch)
    assert z.shape == (6, 24)
    image = jax.jit(model.decode)(state, z)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, batch["image"])


def test_samples_are_decoded_latents_of_a_temperature():
    spec = DataSpec((4, 4, 1), num_levels=7)
    model = RealNVP(flow=SMALL, sampling=FlowSampling(temperature=0.5))
    state, rngs = made(model, spec, spread=0.3), rngs_from_seed(3)
    images = jax.jit(model.sample, static_argnums=2)(state, rngs, 5)
    z = model.draw_latents(state, rngs, 2000)
    assert images.shape == (5, 4, 4, 1)
    assert images.max() < 7
    decoded = jax.jit(model.decode)(state, model.draw_latents(state, rngs, 5))
    np.testing.assert_array_equal(images, decoded)
    np.testing.assert_allclose(z.std(), 0.5, rtol=0.02)
    cut = RealNVP(flow=SMALL, sampling=FlowSampling(0.4, 0.5)).draw_latents(state, rngs, 2000)
    assert 0.39 < float(jnp.abs(cut).max()) <= 0.4


def test_the_first_update_sets_the_normalization_and_no_other_does():
    optimizer = Optimizer(learning_rate=1e-12, ema_decay=0.9)
    model = RealNVP(flow=SMALL, optimizer=optimizer)
    fresh = made(model, POINTS)
    batch = {"image": 4 + 0.1 * np.random.default_rng(0).normal(size=(64, 1, 1, 2)).astype("f4")}
    update = jax.jit(model.update)
    state, _ = update(fresh, batch, rngs_from_seed(0))
    for params in (state.params, state.ema_params):
        module = model.flow.module((1, 1, 2), jnp.float32)
        _, seen = module.apply(
            {"params": params["flow"]},
            batch["image"],
            capture_intermediates=lambda layer, _: isinstance(layer, ActNorm),
        )
        for layer in seen["intermediates"]["chain"].values():
            y = layer["__call__"][0][0]
            np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-3)
            np.testing.assert_allclose(y.std(0), 1.0, atol=1e-3)
    later, _ = update(state, {"image": batch["image"] - 7}, rngs_from_seed(1))
    for old, new in zip(jax.tree.leaves(state.params), jax.tree.leaves(later.params), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-6)


@pytest.mark.parametrize("flow", [SMALL, IMAGES], ids=["vector", "image"])
def test_labels_enter_a_conditional_flow(flow):
    spec = DataSpec((4, 4, 1), num_levels=5, num_classes=3)
    model = RealNVP(flow=flow, conditional=True)
    state, batch = made(model, spec, spread=0.5), batch_of(spec)
    rngs = rngs_from_seed(0)
    log_prob, decode = jax.jit(model.log_prob), jax.jit(model.decode)
    nats = log_prob(state, batch, rngs)
    other = log_prob(state, {**batch, "label": (batch["label"] + 1) % 3}, rngs)
    assert float(jnp.abs(nats - other).min()) > 1e-3
    z = jax.jit(model.encode)(state, batch)
    np.testing.assert_array_equal(decode(state, z, batch["label"]), batch["image"])
    turns = decode(state, model.draw_latents(state, rngs, 6))
    sample = jax.jit(model.sample, static_argnums=2)
    np.testing.assert_array_equal(turns, sample(state, rngs, 6, np.arange(6) % 3))
    with pytest.raises(UserError, match="needs those of the images"):
        model.encode(state, {"image": batch["image"]})


def test_what_is_refused():
    spec = DataSpec((4, 4, 1), num_levels=5)
    model = RealNVP(flow=SMALL)
    with pytest.raises(UserError, match="trained without labels"):
        model.sample(made(model, spec), rngs_from_seed(0), 1, np.zeros(1, np.int32))
    with pytest.raises(ConfigError, match="needs labels, and these data have none"):
        made(RealNVP(conditional=True), spec)
    with pytest.raises(ConfigError, match=r"ImageFlow\.halvings is 1, but images of 1x4 allow 0"):
        made(RealNVP(flow=IMAGES), DataSpec((1, 4, 1)))
    for wrong, message in [
        ({"alpha": 0.5}, r"RealNVP.alpha must be in \(0, 0.5\), not 0.5"),
        ({"dequantization": "none"}, "RealNVP.dequantization must be one of"),
        ({"dequantizer": IMAGES}, "RealNVP.dequantizer.halvings must be 0"),
    ]:
        with pytest.raises(ConfigError, match=message):
            RealNVP(**wrong)
    with pytest.raises(ConfigError, match=r"FlowSampling.temperature must be greater than 0"):
        FlowSampling(temperature=0.0)


def test_figures_say_what_they_are_worth():
    model = RealNVP(flow=SMALL)
    assert model.figure_kinds(POINTS) == {"neg_log_prob": "exact"}
    assert set(model.figure_kinds(DataSpec((4, 4, 1))).values()) == {"bound"}
    spec = DataSpec((4, 4, 1), num_levels=5)
    figures = jax.jit(model.evaluate)(made(model, spec), batch_of(spec), rngs_from_seed(0))
    np.testing.assert_allclose(
        figures["bits_per_dim"], figures["neg_log_prob"] / (16 * math.log(2)), rtol=1e-6
    )


def test_the_reference_has_2_47_million_parameters():
    flow = VectorFlow(couplings=12, hidden=(256, 256), separate_nets=True, actnorm=False)
    state = jax.eval_shape(
        lambda: RealNVP(flow=flow).init(rngs_from_seed(0), DataSpec((12, 12, 1), 16))
    )
    # 12 couplings, scale and shift each: 72-256-256-72 with biases.
    per_net = (72 * 256 + 256) + (256 * 256 + 256) + (256 * 72 + 72)
    assert sum(p.size for p in jax.tree.leaves(state.params)) == 24 * per_net == 2_471_616


def test_a_column_that_the_first_batch_does_not_tell_apart_keeps_its_scale():
    """As one of zeros and rare ones: stretched by every coupling, its first 1 would be 10^16."""
    model = RealNVP(flow=VectorFlow(couplings=4, hidden=(8,)))
    spec = DataSpec((1, 1, 3), continuous=True)
    points = np.random.default_rng(0).normal(size=(64, 1, 1, 3)).astype(np.float32)
    points[..., 2] = 0.0
    state = made(model, spec)
    state, metrics = jax.jit(model.update)(state, {"image": points}, rngs_from_seed(0))
    assert 2.0 < metrics["loss"] < 5.0
    points[0, ..., 2] = 1.0
    rare = model.evaluate(state, {"image": points[:1]}, rngs_from_seed(0))["neg_log_prob"]
    assert rare[0] < 10.0
