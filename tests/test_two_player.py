"""The update of two players against Adam written out in NumPy."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gm_jax.data.spec import DataSpec
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer
from gm_jax.rng import rngs_from_seed

B = 16
# D(x) = w x + b against G(z) = a z + c, on the line.
LINE = DataSpec((1, 1, 1), continuous=True)
GAME = GAN(
    generator=DenseGenerator(hidden=(), output="linear"),
    discriminator=DenseDiscriminator(hidden=()),
    latent_dim=1,
    real_label=0.9,
    generator_optimizer=Optimizer(learning_rate=0.02, b1=0.5, ema_decay=0.7),
    discriminator_optimizer=Optimizer(learning_rate=0.05, b1=0.9),
)


class Adam:
    """Kingma & Ba's algorithm for one vector."""

    def __init__(self, start, config):
        self.theta, self.config = np.array(start, np.float64), config
        self.m, self.v, self.t = np.zeros_like(self.theta), np.zeros_like(self.theta), 0

    def step(self, gradient):
        c, self.t = self.config, self.t + 1
        self.m = c.b1 * self.m + (1 - c.b1) * gradient
        self.v = c.b2 * self.v + (1 - c.b2) * gradient**2
        m, v = self.m / (1 - c.b1**self.t), self.v / (1 - c.b2**self.t)
        self.theta -= c.learning_rate * m / (np.sqrt(v) + c.eps)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def play_in_numpy(state, batches, rngs_at, discriminator_steps):
    """(w, b), (a, c) and the average of (a, c) after a step on each batch."""

    def start(player):
        dense = state.params[player]["Dense_0"]
        return [float(dense["kernel"][0, 0]), float(dense["bias"][0])]

    d = Adam(start("discriminator"), GAME.discriminator_optimizer)
    g = Adam(start("generator"), GAME.generator_optimizer)
    average, moves = g.theta.copy(), 0
    for t, x in enumerate(batches):
        (w, b), (a, c) = d.theta, g.theta
        z = np.asarray(jax.random.normal(rngs_at(t)("noise/discriminator"), (B, 1)), np.float64)
        fake = a * z[:, 0] + c
        # d/dl of -0.9 log σ(l) - 0.1 log(1 - σ(l)), and of -log(1 - σ(l))
        real_slope, fake_slope = sigmoid(w * x + b) - 0.9, sigmoid(w * fake + b)
        d.step(
            np.array(
                [(real_slope * x + fake_slope * fake).mean(), (real_slope + fake_slope).mean()]
            )
        )
        if (t + 1) % discriminator_steps:
            continue
        w, b = d.theta
        z = np.asarray(jax.random.normal(rngs_at(t)("noise/generator"), (B, 1)), np.float64)[:, 0]
        slope = (sigmoid(w * (a * z + c) + b) - 1) * w  # d/dx of -log σ(D(x))
        g.step(np.array([(slope * z).mean(), slope.mean()]))
        rate = max(1 - GAME.generator_optimizer.ema_decay, 9 / (10 + moves))  # it starts short
        average += rate * (g.theta - average)
        moves += 1
    return d.theta, g.theta, average


def as_pair(params):
    return np.array([params["Dense_0"]["kernel"][0, 0], params["Dense_0"]["bias"][0]])


@pytest.mark.parametrize("discriminator_steps", [1, 3])
def test_it_is_two_adams_in_turn(discriminator_steps):
    model = dataclasses.replace(GAME, discriminator_steps=discriminator_steps)
    root = rngs_from_seed(3)
    state = model.init(root.at("init"), LINE)
    batches = np.random.default_rng(0).normal(1.5, 0.5, (7, B)).astype(np.float32)

    def rngs_at(t):
        return root.at("train", t)

    chex.clear_trace_counter()
    update = jax.jit(chex.assert_max_traces(model.update, n=1))
    played = state
    for t, x in enumerate(batches):
        played, metrics = update(played, {"image": jnp.asarray(x).reshape(B, 1, 1, 1)}, rngs_at(t))
        turn = (t + 1) % discriminator_steps == 0
        assert (metrics["generator_grad_norm"] > 0) == turn
        chex.assert_tree_all_finite(metrics)
    d, g, average = play_in_numpy(state, batches.astype(np.float64), rngs_at, discriminator_steps)
    np.testing.assert_allclose(as_pair(played.params["discriminator"]), d, rtol=2e-5)
    np.testing.assert_allclose(as_pair(played.params["generator"]), g, rtol=2e-5)
    np.testing.assert_allclose(as_pair(played.ema_params["generator"]), average, rtol=2e-5)
    assert int(played.step) == len(batches)


def test_a_player_moves_by_its_own_loss_only():
    state = GAME.init(rngs_from_seed(0), LINE)
    batch = {"image": jnp.ones((B, 1, 1, 1))}
    still = dataclasses.replace(GAME, discriminator_steps=10**6)
    moved, _ = still.update(state, batch, rngs_from_seed(1))
    chex.assert_trees_all_equal(moved.params["generator"], state.params["generator"])
    chex.assert_trees_all_equal(moved.opt_state["generator"], state.opt_state["generator"])
    chex.assert_trees_all_equal(moved.ema_params, state.ema_params)
    assert not np.allclose(
        as_pair(moved.params["discriminator"]), as_pair(state.params["discriminator"])
    )


def test_the_noise_of_the_players_is_not_the_same():
    rngs = rngs_from_seed(0)
    one, other = (
        jax.random.normal(rngs(f"noise/{p}"), (4,)) for p in ("discriminator", "generator")
    )
    assert not np.allclose(one, other)
