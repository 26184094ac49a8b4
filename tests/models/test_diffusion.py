"""DDPM and the naive family: the bound against closed forms, conditions, and what is refused."""

import dataclasses
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy.special import log_ndtr

from gm_jax.data import Data
from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError
from gm_jax.experiment import Experiment
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.functional.diffusion import diffuse, prediction_target
from gm_jax.functional.noise_schedules import noise_schedule
from gm_jax.model import Family, HasLatents, HasLogProb, Samples
from gm_jax.models.ddpm import DDPM
from gm_jax.models.diffusion_naive import NaiveDiffusion
from gm_jax.nets.denoisers import Denoiser, DenseDenoiser
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed
from gm_jax.run import Run
from gm_jax.sampling import DiffusionSampling
from gm_jax.training.sharding import DataMesh

POINTS = DataSpec((1, 1, 1), continuous=True)
TINY = DataSpec((3, 3, 1), num_levels=4, num_classes=3)
DENSE = DenseDenoiser(hidden=(8,), embedding_dim=4)
MEAN, SCALE = 0.4, 0.7


class OptimalNet(nn.Module):
    """The noise in x_t for data N(MEAN, SCALE^2): E[ε | x_t]; no parameter that matters."""

    signal: tuple[float, ...]

    @nn.compact
    def __call__(self, x, t, label, train):
        self.param("unused", nn.initializers.zeros, (1,))
        num_steps = len(self.signal) - 1
        step = jnp.rint(t * num_steps / 1000).astype(jnp.int32)
        signal = jnp.asarray(self.signal)[step].reshape(-1, 1, 1, 1)
        variance = signal**2 * SCALE**2 + 1 - signal**2
        return jnp.sqrt(1 - signal**2) * (x - signal * MEAN) / variance


@dataclasses.dataclass(frozen=True)
class Optimal(Denoiser):
    signal: tuple[float, ...] = ()

    def module(self, shape, num_outputs, num_classes, dtype):
        return OptimalNet(self.signal)


def optimal(num_steps, **kwargs):
    signal = tuple(noise_schedule("linear", num_steps).signal.tolist())
    return DDPM(network=Optimal(signal), num_steps=num_steps, decoder_scale="beta", **kwargs)


def closed_form(alphas_bar):
    """E[L] over data N(MEAN, SCALE^2) with the optimal denoiser: nats, in NumPy.

    The squared error of E[x_0 | x_t] is the posterior's variance, s^2 / (1 + s^2 SNR).
    """
    snr = alphas_bar[1:] / (1 - alphas_bar[1:])
    error = SCALE**2 / (1 + SCALE**2 * snr)  # of steps 1 .. T
    diffusion = (0.5 * (snr[:-1] - snr[1:]) * error[1:]).sum()
    last = alphas_bar[-1]
    second = MEAN**2 + SCALE**2
    prior = 0.5 * (1 - last + last * second - 1 - np.log(1 - last))
    decoder_variance = 1 - alphas_bar[1]
    decoder = 0.5 * np.log(2 * np.pi * decoder_variance) + error[0] / (2 * decoder_variance)
    return {"prior_kl": prior, "diffusion": diffusion, "decoder": decoder}


def gaussian_kl(mean, variance, other_mean, other_variance):
    """KL(N || N'), nats, in NumPy."""
    ratio = variance / other_variance
    return 0.5 * (ratio - 1 - np.log(ratio) + (mean - other_mean) ** 2 / other_variance)


def bin_log_mass(level, mean, std, num_levels):
    """Of a level's bin under N(mean, std^2), in NumPy; the outer bins are open."""
    edges = (2 * np.arange(1, num_levels) - 1) / (num_levels - 1) - 1
    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    lower, upper = ((edges[level + i] - mean) / std for i in (0, 1))
    # Mirrored where the bin lies above the mean: the lower tail has all its digits.
    above = lower + upper > 0
    tails = [log_ndtr(np.where(above, *pair)) for pair in ((-upper, lower), (-lower, upper))]
    return tails[1] + np.log1p(-np.exp(tails[0] - tails[1]))


def expected(function):
    """E[function(ε)] of a standard normal ε, by quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(200)
    return (function(points) * weights).sum() / weights.sum()


def assert_means(figures, wanted, levels):
    """The mean of each figure over the images of each level, within five standard errors."""
    for name, by_level in wanted.items():
        for level, value in enumerate(by_level):
            samples = np.asarray(figures[name], np.float64)[levels == level]
            error = 5 * samples.std() / math.sqrt(len(samples)) + 1e-4
            np.testing.assert_allclose(samples.mean(), value, atol=error, err_msg=f"{name} {level}")


ENTROPY = 0.5 * math.log(2 * math.pi * math.e * SCALE**2)


@pytest.mark.parametrize("terms", [100, 3])
def test_the_bound_of_a_gaussian_is_its_closed_form(terms):
    model = optimal(20, bound_terms=terms)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), POINTS)
    num = 40_000
    x = MEAN + SCALE * np.random.default_rng(0).standard_normal((num, 1, 1, 1), np.float32)
    figures = jax.jit(model.evaluate)(state, {"image": x}, rngs_from_seed(1))
    expected = closed_form(noise_schedule("linear", 20).alphas_bar)
    for name, value in expected.items():
        samples = np.asarray(figures[name], np.float64)
        error = 5 * samples.std() / math.sqrt(num) + 1e-6
        np.testing.assert_allclose(samples.mean(), value, atol=error, err_msg=name)
    total = sum(expected.values())
    chex.assert_trees_all_close(
        figures["bits_per_dim"], figures["neg_elbo"] / math.log(2), rtol=1e-5
    )
    np.testing.assert_allclose(float(figures["neg_elbo"].mean()), total, atol=0.05)
    assert total > ENTROPY


def test_the_bound_of_discrete_images_is_its_closed_form():
    num_levels, num_steps, std = 5, 6, 0.3
    model = optimal(num_steps, clip_x0=False)
    spec = DataSpec((1, 1, 1), num_levels)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
    params = {**state.params, "decoder_log_scale": jnp.log(std)}
    levels = np.arange(50_000) % num_levels
    batch = {"image": levels.astype(np.uint8).reshape(-1, 1, 1, 1)}
    figures = jax.jit(model.evaluate)(state.replace(params=params), batch, rngs_from_seed(1))

    bars = noise_schedule("linear", num_steps).alphas_bar
    snr = bars[1:] / (1 - bars[1:])  # of steps 1 .. T
    wanted = {"prior_kl": [], "diffusion": [], "decoder": []}
    for level in range(num_levels):
        x0 = 2 * level / (num_levels - 1) - 1
        wanted["prior_kl"].append(gaussian_kl(math.sqrt(bars[-1]) * x0, 1 - bars[-1], 0.0, 1.0))

        def x0_hat(t, noise, x0=x0):
            """E[x_0 | x_t] of the Gaussian that the network takes the data for."""
            signal, variance = math.sqrt(bars[t]), 1 - bars[t]
            gain = signal * SCALE**2 / (bars[t] * SCALE**2 + variance)
            return MEAN + gain * (signal * (x0 - MEAN) + math.sqrt(variance) * noise)

        errors = [
            expected(lambda e, t=t, x0=x0: (x0_hat(t, e) - x0) ** 2)
            for t in range(2, num_steps + 1)
        ]
        wanted["diffusion"].append((0.5 * (snr[:-1] - snr[1:]) * errors).sum())

        def mass(noise, level=level, mean=x0_hat):
            return bin_log_mass(level, mean(1, noise), std, num_levels)

        wanted["decoder"].append(-expected(mass))
    wanted["neg_elbo"] = np.sum([wanted[name] for name in ("prior_kl", "diffusion", "decoder")], 0)
    wanted["bits_per_dim"] = wanted["neg_elbo"] / math.log(2)
    assert_means(figures, wanted, levels)


class LinearNet(nn.Module):
    """A mean of (1 - τ / 5) x_t + τ / 10 and a log-scale τ / 4 above the schedule's; τ = t / T."""

    @nn.compact
    def __call__(self, x, t, label, train):
        self.param("unused", nn.initializers.zeros, (1,))
        tau = (t / 1000).reshape(-1, 1, 1, 1)
        return jnp.concatenate([0.1 * tau - 0.2 * tau * x, 0.25 * tau + 0.0 * x], -1)


class Linear(DenseDenoiser):
    def module(self, shape, num_outputs, num_classes, dtype):
        return LinearNet()


def test_the_naive_bound_is_its_closed_form():
    """Each KL by its Gaussians: x_t is one, the posterior's mean and the network's linear in it."""
    num_levels, num_steps = 3, 4
    model, spec = NaiveDiffusion(network=Linear(), num_steps=num_steps), DataSpec((1, 1, 1), 3)
    state = model.init(rngs_from_seed(0), spec)
    levels = np.arange(60_000) % num_levels
    batch = {"image": levels.astype(np.uint8).reshape(-1, 1, 1, 1)}
    figures = jax.jit(model.evaluate)(state, batch, rngs_from_seed(1))

    bars = noise_schedule("linear", num_steps).alphas_bar
    betas = 1 - bars[1:] / bars[:-1]  # of steps 1 .. T
    wanted = {"prior_kl": [], "diffusion": [], "decoder": []}
    for level in range(num_levels):
        x0 = float(level - 1)
        wanted["prior_kl"].append(gaussian_kl(math.sqrt(bars[-1]) * x0, 1 - bars[-1], 0.0, 1.0))

        def x_at(t, noise, x0=x0):
            return math.sqrt(bars[t]) * x0 + math.sqrt(1 - bars[t]) * noise

        def back(t, noise):
            """Mean and variance of the network's step from x_t."""
            tau = t / num_steps
            mean = (1 - 0.2 * tau) * x_at(t, noise) + 0.1 * tau
            return mean, betas[t - 1] * math.exp(0.5 * tau)

        def forth(t, noise, x0=x0):
            """Of q(x_{t-1} | x_t, x_0), by Bayes' rule for q(x_t | x_{t-1}) q(x_{t-1} | x_0)."""
            beta, before = betas[t - 1], 1 - bars[t - 1]
            variance = 1 / ((1 - beta) / beta + 1 / before)
            seen = math.sqrt(1 - beta) * x_at(t, noise) / beta
            return variance * (seen + math.sqrt(bars[t - 1]) * x0 / before), variance

        terms = [
            expected(lambda e, t=t: gaussian_kl(*forth(t, e), *back(t, e)))
            for t in range(2, num_steps + 1)
        ]
        wanted["diffusion"].append(sum(terms))

        def mass(noise, level=level):
            mean, variance = back(1, noise)
            return bin_log_mass(level, mean, math.sqrt(variance), num_levels)

        wanted["decoder"].append(-expected(mass))
    wanted["neg_elbo"] = np.sum([wanted[name] for name in ("prior_kl", "diffusion", "decoder")], 0)
    assert_means(figures, wanted, levels)
    log_prob = model.log_prob(state, batch, rngs_from_seed(2), 1)
    assert_means({"neg_elbo": -log_prob}, {"neg_elbo": wanted["neg_elbo"]}, levels)


def test_the_bound_nears_the_entropy_as_steps_grow():
    def gap(alphas_bar):
        return sum(closed_form(alphas_bar).values()) - ENTROPY

    # In equal strides of log SNR the sum becomes the integral, and the bound tight.
    gaps = []
    for num_steps in (100, 1000, 10_000, 100_000):
        log_snr = np.linspace(12, -12, num_steps)
        gaps.append(gap(np.concatenate([[1.0], 1 / (1 + np.exp(-log_snr))])))
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] > 0
    assert gaps[3] < 0.002
    # DDPM's steps are so wide at first, at any T, that 1/2 (1/(t-1) - log(t/(t-1))) is lost at each
    # step t: half of Euler's constant in all.
    linear = [gap(noise_schedule("linear", n).alphas_bar) for n in (1000, 10_000, 100_000)]
    assert linear[0] > linear[1] > linear[2]
    np.testing.assert_allclose(linear[2], np.euler_gamma / 2, atol=0.01)


def test_log_prob_takes_every_term():
    model = optimal(30, bound_terms=2)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), POINTS)
    x = MEAN + SCALE * np.random.default_rng(0).standard_normal((4000, 1, 1, 1), np.float32)
    log_prob = jax.jit(model.log_prob, static_argnums=3)(state, {"image": x}, rngs_from_seed(1), 3)
    np.testing.assert_allclose(
        -log_prob.mean(),
        sum(closed_form(noise_schedule("linear", 30).alphas_bar).values()),
        atol=0.06,
    )
    estimate = jax.jit(model.evaluate)(state, {"image": x}, rngs_from_seed(1))["neg_elbo"]
    assert float(estimate.std()) > 1.5 * float(log_prob.std())


def test_every_sampler_draws_the_gaussian():
    state = optimal(200).init(rngs_from_seed(0), POINTS)
    for sampler, steps in [("ancestral", None), ("ddim", 100), ("dpm_solver_pp_2m", 30)]:
        model = optimal(200, sampling=DiffusionSampling(sampler, steps))
        samples = np.asarray(model.sample(state, rngs_from_seed(1), 4000))
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples.mean(), MEAN, atol=0.06, err_msg=sampler)
        np.testing.assert_allclose(samples.std(), SCALE, atol=0.06, err_msg=sampler)


def batch_of(spec, num=6):
    rng = np.random.default_rng(0)
    image = rng.integers(0, spec.num_levels, (num, *spec.shape)).astype(np.uint8)
    return {"image": image, "label": np.arange(num, dtype=np.int32) % 3}


def trained(model, spec=TINY, steps=3):
    root = rngs_from_seed(0)
    state = jax.jit(model.init, static_argnums=1)(root.at("init"), spec)
    update = jax.jit(model.update)
    for t in range(steps):
        state, metrics = update(state, batch_of(spec), root.at("train", t))
    return state, metrics


@pytest.mark.parametrize(
    "model",
    [
        DDPM(network=DENSE, num_steps=4, prediction="epsilon", loss="variational"),
        pytest.param(
            DDPM(network=DENSE, num_steps=4, prediction="x0", learn_decoder_scale=False),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            DDPM(network=DENSE, num_steps=4, prediction="v", schedule="cosine", conditional=True),
            marks=pytest.mark.slow,
        ),
        NaiveDiffusion(network=DENSE, num_steps=3),
    ],
    ids=["epsilon", "x0", "v", "naive"],
)
def test_shapes_and_figures(model):
    for ability in (Family, Samples, HasLogProb):
        assert isinstance(model, ability)
    state, metrics = trained(model)
    chex.assert_tree_all_finite((state.params, metrics))
    figures = jax.jit(model.evaluate)(state, batch_of(TINY), rngs_from_seed(1))
    chex.assert_shape(list(figures.values()), (6,))
    chex.assert_tree_all_finite(figures)
    parts = figures["prior_kl"] + figures["diffusion"] + figures["decoder"]
    np.testing.assert_allclose(figures["neg_elbo"], parts, rtol=1e-5)
    assert model.figure_kinds(TINY)["bits_per_dim"] == "bound"
    log_prob = jax.jit(model.log_prob, static_argnums=3)(
        state, batch_of(TINY), rngs_from_seed(1), 2
    )
    chex.assert_shape(log_prob, (6,))
    images = jax.jit(model.sample, static_argnums=2)(state, rngs_from_seed(2), 5)
    chex.assert_shape(images, (5, 3, 3, 1))
    chex.assert_type(images, np.uint8)
    assert images.max() < 4


def test_naive_bound_is_a_bound_by_enumeration():
    """Of an untrained model: the mean of exp(-L) over all images may not exceed 1 / their number.

    By Jensen exp(E[-L]) is at most P(x), and the P(x) of all images sum to 1.
    """
    spec = DataSpec((2, 1, 1), num_levels=3)
    model = NaiveDiffusion(network=DENSE, num_steps=3)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), spec)
    grid = np.stack(np.meshgrid(range(3), range(3)), -1).reshape(9, 2, 1, 1).astype(np.uint8)
    log_prob = model.log_prob(state, {"image": grid}, rngs_from_seed(1), 300)
    assert float(jnp.exp(log_prob).sum()) < 1.0


def test_the_loss_is_unbiased_for_the_bound():
    model = DDPM(
        network=DENSE, num_steps=4, loss="variational", clip_x0=False, learn_decoder_scale=False
    )
    state, _ = trained(dataclasses.replace(model, loss="simple"), steps=1)
    batch = batch_of(TINY)

    @jax.jit
    def losses(i):
        _, metrics = model.update(state, batch, rngs_from_seed(0).at(i))
        figures = model.evaluate(state, batch, rngs_from_seed(1).at(i))
        return metrics["loss"], (figures["neg_elbo"] - figures["prior_kl"]).mean()

    loss, bound = (np.asarray(a, np.float64) for a in jax.lax.map(losses, jnp.arange(4000)))
    error = 5 * math.hypot(loss.std(), bound.std()) / math.sqrt(4000)
    np.testing.assert_allclose(loss.mean(), bound.mean(), atol=error)
    assert error < 0.1 * bound.mean()


@pytest.mark.slow
def test_only_the_decoders_step_moves_its_scale():
    model = DDPM(network=DENSE, num_steps=4, optimizer=Optimizer(name="sgd", learning_rate=1.0))
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), TINY)
    plain = dataclasses.replace(model, learn_decoder_scale=False)
    plain_state = state.replace(params={"network": state.params["network"]})
    plain_state = plain_state.replace(opt_state=plain.optimizer.build().init(plain_state.params))
    rngs, batch = rngs_from_seed(3), batch_of(TINY, 60)  # so many that one is at step 1
    new, metrics = model.update(state, batch, rngs)
    same, plain_metrics = plain.update(plain_state, batch, rngs)
    chex.assert_trees_all_close(new.params["network"], same.params["network"], rtol=1e-6)
    np.testing.assert_allclose(metrics["loss"], plain_metrics["loss"], rtol=1e-6)
    np.testing.assert_allclose(metrics["loss"], metrics["mse"], rtol=1e-6)
    assert new.params["decoder_log_scale"] != state.params["decoder_log_scale"]


def test_guidance():
    """1 is plain p(x|y), 0 is p(x), and between and beyond them it is linear in the output."""
    model = DDPM(network=DENSE, num_steps=4, conditional=True, label_dropout=0.3, clip_x0=False)
    state = spread(trained(model, steps=1)[0])
    x, t = jax.random.normal(jax.random.key(1), (6, 3, 3, 1)), jnp.int32(3)
    label, none = jnp.arange(6) % 3, jnp.full((6,), 3)

    def x0(guidance, label):
        guided = dataclasses.replace(model, sampling=DiffusionSampling(guidance=guidance))
        return guided._denoiser(state, label)(x, t)

    told, untold = x0(1.0, label), x0(1.0, none)
    assert float(jnp.abs(told - untold).max()) > 1e-3
    scale = float(jnp.abs(told).max())
    np.testing.assert_allclose(x0(0.0, label), untold, atol=1e-4 * scale)
    np.testing.assert_allclose(x0(1.0 + 1e-9, label), told, atol=1e-4 * scale)
    np.testing.assert_allclose(x0(3.0, label), untold + 3 * (told - untold), atol=1e-3 * scale)


def spread(state):
    """The state away from its start, where no label makes a difference."""
    noise = rngs_from_seed(9)("weights")
    move = lambda p: p + jax.random.normal(noise, p.shape)  # noqa: E731
    return state.replace(params=jax.tree.map(move, state.params))


def test_labels_are_dropped_as_often_as_is_said():
    """Those that stay are the ones they were; the network is told the others as `num_classes`."""
    model = DDPM(network=DENSE, num_steps=4, conditional=True, label_dropout=0.3)
    label = jnp.arange(10_000) % 3
    told = np.asarray(model._dropped(rngs_from_seed(0), label, TINY))
    dropped = told == 3
    np.testing.assert_allclose(dropped.mean(), 0.3, atol=5 * math.sqrt(0.3 * 0.7 / 10_000))
    np.testing.assert_array_equal(told[~dropped], label[~dropped])
    np.testing.assert_allclose(np.bincount(label[dropped]) / dropped.sum(), 1 / 3, atol=0.05)
    other = np.asarray(model._dropped(rngs_from_seed(1), label, TINY))
    assert (other != told).any()


@pytest.mark.parametrize(
    ("dropout", "matters"), [pytest.param(0.0, True, marks=pytest.mark.slow), (0.999_999, False)]
)
def test_an_update_sees_the_labels_that_are_not_dropped(dropout, matters):
    model = DDPM(network=DENSE, num_steps=4, conditional=True, label_dropout=dropout)
    state = spread(jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), TINY))
    batch, update = batch_of(TINY), jax.jit(model.update)
    other = {**batch, "label": (batch["label"] + 1) % 3}
    losses = [float(update(state, b, rngs_from_seed(3))[1]["loss"]) for b in (batch, other)]
    assert (abs(losses[0] - losses[1]) > 1e-3) == matters
    # What is evaluated never lacks its label.
    bounds = [model.log_prob(state, b, rngs_from_seed(3)) for b in (batch, other)]
    assert float(jnp.abs(bounds[0] - bounds[1]).min()) > 1e-3


def test_labels_take_turns_and_are_refused_without():
    model = DDPM(network=DENSE, num_steps=4, conditional=True)
    assert model.conditional
    state = spread(trained(model, steps=1)[0])
    rngs = rngs_from_seed(2)
    by_label = [np.asarray(model.sample(state, rngs, 6, np.full(6, y))) for y in range(3)]
    assert not any((by_label[y] == by_label[y - 1]).all() for y in range(3))
    turns = [by_label[y][i] for i, y in enumerate(np.arange(6) % 3)]
    np.testing.assert_array_equal(model.sample(state, rngs, 6), turns)
    in_turn = model.sample(state, rngs, 6, np.arange(6) % 3)
    chex.assert_trees_all_equal(model.sample(state, rngs, 6), in_turn)
    for plain in (DDPM(network=DENSE, num_steps=4), NaiveDiffusion(network=DENSE, num_steps=4)):
        state = jax.jit(plain.init, static_argnums=1)(rngs_from_seed(0), TINY)
        with pytest.raises(UserError, match="without labels"):
            plain.sample(state, rngs, 2, np.array([0, 1]))
    with pytest.raises(ConfigError, match="have none"):
        model.init(rngs, DataSpec((3, 3, 1), num_levels=4))


def test_latents_are_the_noise_a_deterministic_sampler_starts_from():
    model = DDPM(network=DENSE, num_steps=4, sampling=DiffusionSampling("ddim", 3))
    assert isinstance(model, HasLatents)
    state, _ = trained(model)
    z = model.draw_latents(state, rngs_from_seed(5), 4)
    chex.assert_shape(z, (4, 9))
    drawn = model.sample(state, rngs_from_seed(5), 4)
    chex.assert_trees_all_equal(model.decode(state, z), drawn)
    ancestral = dataclasses.replace(model, sampling=DiffusionSampling())
    chex.assert_trees_all_equal(ancestral.decode(state, z), drawn)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: DDPM(num_steps=10, sampling=DiffusionSampling("ddim", 11)),
            "at most the 10 steps",
        ),
        (lambda: DiffusionSampling("dim"), "sampler must be one of"),
        (lambda: DiffusionSampling(eta=0.5), "take ddim"),
        (lambda: DiffusionSampling("ddim", eta=1.5), "at most 1"),
        (lambda: DDPM(sampling=DiffusionSampling(guidance=2.0)), "trained with labels"),
        (lambda: DDPM(sampling=DiffusionSampling(guidance=2.0), conditional=True), "label_dropout"),
        (lambda: DDPM(label_dropout=0.1), "set conditional"),
        (lambda: DDPM(num_steps=1), "at least 2"),
        (lambda: DDPM(num_steps=40, beta_range=(1e-4, 0.02)), "leaves signal"),
        (lambda: NaiveDiffusion(num_steps=12, beta_range=(1e-4, 0.02)), "0.886"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_run_samples_in_other_ways_than_it_was_trained_with(tmp_path):
    model = DDPM(network=DENSE, num_steps=4, conditional=True, label_dropout=0.1)
    state, _ = trained(model, steps=1)
    experiment = Experiment(data=Data(), model=model)
    run = Run(tmp_path, experiment, state, DataMesh(experiment.data.batch_size))
    fast = dataclasses.replace(model, sampling=DiffusionSampling("ddim", 2, guidance=2.0))
    expected = fast.sample(state, rngs_from_seed(5).at("sample"), 4)
    made = run.sample(4, seed=5, sampler="ddim", sampler_steps=2, guidance=2.0)
    np.testing.assert_array_equal(made, expected)
    assert run.model is model
    with pytest.raises(UserError, match=r"sampler_steps must be a whole number or None, not 2\.5"):
        run.sample(4, sampler_steps=2.5)
    with pytest.raises(UserError, match="at most the 4 steps"):
        run.sample(4, sampler_steps=5)
    with pytest.raises(UserError, match="sampler must be one of"):
        run.sample(4, sampler="dim")
    with pytest.raises(UserError, match=r"DDPM has no heat.*it has sampler, .*guidance"):
        run.sample(4, heat=2.0)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
@pytest.mark.slow
def test_mse_is_over_the_steps_that_training_draws(prediction):
    """Against a plain loop over t = 1 .. T; one draw of the noise for each is the loop's too."""
    model = DDPM(network=DENSE, num_steps=5, prediction=prediction, bound_terms=4)
    state, _ = trained(model)
    images = batch_of(TINY)["image"][:3]
    rngs, schedule = rngs_from_seed(7), noise_schedule("linear", 5)
    x0 = to_symmetric(images, TINY.num_levels)
    errors = []
    for i, t in enumerate(range(1, 6)):
        noise = jax.random.normal(jax.random.fold_in(rngs("noise"), i), x0.shape)
        steps = jnp.full(len(x0), t)
        xt = diffuse(schedule, x0, steps, noise)
        output = model._apply(state.params, TINY, xt, steps, None)
        target = prediction_target(prediction, schedule, x0, steps, noise)
        errors.append(np.square(output - target).reshape(len(x0), -1).mean(1))
    figures = jax.jit(model.evaluate)(state, {"image": images}, rngs)
    np.testing.assert_allclose(figures["mse"], np.mean(errors, 0), rtol=1e-4)
    # With fewer terms than steps it is the same in the mean over many draws.
    few = dataclasses.replace(model, bound_terms=2)
    draw = jax.jit(
        jax.vmap(lambda i: few.evaluate(state, {"image": images[:1]}, rngs.at(i))["mse"].mean())
    )
    every = jax.jit(
        jax.vmap(lambda i: model.evaluate(state, {"image": images[:1]}, rngs.at(i))["mse"].mean())
    )
    drawn, whole = (np.asarray(f(jnp.arange(4000)), np.float64) for f in (draw, every))
    stderr = math.hypot(drawn.std(), whole.std()) / math.sqrt(4000)
    assert abs(drawn.mean() - whole.mean()) < 4 * stderr


@pytest.mark.parametrize("fields", [{"loss": "variational"}, {"clip_x0": False}])
def test_steps_with_almost_no_signal_have_a_gradient(fields):
    """From there x_0 is guessed at 10^5, where both edges of a level's bin are the same float."""
    model = DDPM(network=DENSE, schedule="cosine", num_steps=4000, **fields)
    state = jax.jit(model.init, static_argnums=1)(rngs_from_seed(0), DataSpec((2, 2, 1)))
    batch = {"image": np.zeros((16_384, 2, 2, 1), np.uint8)}
    _, metrics = jax.jit(model.update)(state, batch, rngs_from_seed(0))
    assert np.isfinite(metrics["loss"])
    assert np.isfinite(metrics["grad_norm"])
