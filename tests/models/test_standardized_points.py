"""Points in units of their own: models see them standardized, and nobody else does."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from gm_jax.data import Columns, DataSpec
from gm_jax.model import can, compiled
from gm_jax.models import DDPM, GAN, GMM, Bayes, RealNVP
from gm_jax.nets import DenseDenoiser, DenseDiscriminator, DenseGenerator, VectorFlow
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

SHIFT, SCALE = (100.0, -0.5), (20.0, 0.01)
PLAIN = DataSpec((1, 1, 2), num_classes=2, continuous=True)
UNITS = dataclasses.replace(PLAIN, columns=Columns(("a", "b"), SHIFT, SCALE))
NUM = 64

# A large eps: without it the direction of a step along a gradient of 0 is chance.
ADAM = Optimizer(learning_rate=1e-2, eps=1e-3)
FAMILIES = {
    "gmm": GMM(num_components=2),
    "bayes": Bayes(),
    "realnvp": RealNVP(flow=VectorFlow(couplings=2, hidden=(8,)), optimizer=ADAM),
    "ddpm": DDPM(network=DenseDenoiser(hidden=(8,), embedding_dim=4), num_steps=4, optimizer=ADAM),
    "gan": GAN(
        generator=DenseGenerator(hidden=(8,), output="linear"),
        discriminator=DenseDiscriminator(hidden=(8,)),
        latent_dim=2,
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
    ),
}


@pytest.fixture(scope="module")
def batches():
    """The same points as a model sees them, and in their own units."""
    seen = np.random.default_rng(0).normal(size=(NUM, 1, 1, 2)).astype(np.float32)
    label = (seen[:, 0, 0, 0] > 0).astype(np.int32)
    own = (np.array(SHIFT) + np.array(SCALE) * seen).astype(np.float32)
    rest = {"label": label, "index": np.arange(NUM, dtype=np.int32)}
    return {"image": seen, **rest}, {"image": own, **rest}


def trained(model, spec, batch, steps=3):
    rngs = rngs_from_seed(0)
    state = jax.jit(lambda: model.init(rngs, spec))()
    update = jax.jit(model.update)
    metrics = {}
    for step in range(steps):
        state, metrics = update(state, batch, rngs.at("train", step))
    return state, metrics


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in ("ddpm", "gan") else n for n in FAMILIES],
)
def test_learns_the_same_in_any_units(name, batches):
    """A run on standardized points, and one on points that are standardized inside, are the same.

    Densities differ by the determinant of the map between them, samples are mapped.
    """
    model = FAMILIES[name]
    seen, own = batches
    inside, told = trained(model, UNITS, own)
    outside, said = trained(model, PLAIN, seen)
    for a, b in zip(jax.tree.leaves(inside.params), jax.tree.leaves(outside.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    log_scale = float(np.log(SCALE).sum())
    is_density = name in ("gmm", "bayes", "realnvp")
    assert float(told["loss"] - said["loss"]) == pytest.approx(is_density * log_scale, abs=1e-3)

    rngs = rngs_from_seed(1)
    evaluate = jax.jit(model.evaluate)
    figures, others = evaluate(inside, own, rngs), evaluate(outside, seen, rngs)
    for figure, change in {
        "neg_log_prob": log_scale,
        "neg_elbo": log_scale,
        "decoder": log_scale,
        "bits_per_dim": log_scale / np.log(2) / 2,
        "error": 0.0,
        "mse": 0.0,
        "generator_loss": 0.0,
    }.items():
        if figure in figures:
            np.testing.assert_allclose(figures[figure] - others[figure], change, atol=2e-3)
    sample = compiled(model, "sample")
    drawn, mapped = (np.asarray(sample(state, rngs, 8)) for state in (inside, outside))
    mapped = np.array(SHIFT) + np.array(SCALE) * mapped
    np.testing.assert_allclose(drawn, mapped, rtol=1e-3, atol=1e-4)
    if can(model, UNITS, "log_prob"):
        log_prob = compiled(model, "log_prob")
        nats = [log_prob(*given, rngs, 1) for given in ((inside, own), (outside, seen))]
        np.testing.assert_allclose(nats[0] - nats[1], -log_scale, atol=2e-3)
    if can(model, UNITS, "encode"):
        codes = model.encode(inside, own)
        np.testing.assert_allclose(codes, model.encode(outside, seen), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(model.decode(inside, codes), own["image"], rtol=1e-4)
    if can(model, UNITS, "classify"):
        np.testing.assert_allclose(
            model.classify(inside, own), model.classify(outside, seen), rtol=1e-3, atol=1e-3
        )


def test_a_gaussian_in_its_own_units(batches):
    """One Gaussian, fitted to standardized points, is that of the points: scipy's."""
    _, own = batches
    model = GMM(num_components=1, variance_floor=1e-9)
    state, _ = trained(model, UNITS, own)
    points = own["image"][:, 0, 0].astype(np.float64)
    truth = stats.multivariate_normal(points.mean(0), np.cov(points.T, ddof=0))
    density = compiled(model, "log_density")(state, own["image"])
    np.testing.assert_allclose(density, truth.logpdf(points), atol=2e-3)


def test_the_density_of_a_flow_integrates_to_one(batches):
    _, own = batches
    model = FAMILIES["realnvp"]
    state, _ = trained(model, UNITS, own)
    lines = [np.linspace(a - 7 * b, a + 7 * b, 161) for a, b in zip(SHIFT, SCALE, strict=True)]
    grid = np.stack(np.meshgrid(*lines), -1).reshape(-1, 1, 1, 2).astype(np.float32)
    cell = np.prod([line[1] - line[0] for line in lines])
    log_density = compiled(model, "log_density")
    density = np.exp(np.asarray(log_density(state, grid), np.float64))
    assert density.sum() * cell == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(
        log_density(state, own["image"]),
        compiled(model, "log_prob")(state, own, rngs_from_seed(0), 1),
        rtol=1e-5,
        atol=1e-4,
    )


def test_which_flows_have_a_density_of_points():
    flow = FAMILIES["realnvp"]
    assert can(flow, UNITS, "log_density")
    assert not can(dataclasses.replace(flow, conditional=True), UNITS, "log_density")
    assert not can(flow, DataSpec((8, 8, 1)), "log_density")
