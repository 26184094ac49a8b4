"""Diffusion as it was first done: a dense network says mean and variance of each step back.

Sohl-Dickstein et al. 2015, "Deep unsupervised learning using nonequilibrium thermodynamics",
arXiv:1503.03585.

  L = KL(q(x_T | x_0) || N(0, I)) + sum_{t=2}^T KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))
      - log p(x_0 | x_1)                                   nats, summed over the values of an image

  p(x_{t-1} | x_t) = N(x_t + m(x_t, t), β_t exp(2 s(x_t, t)))

with m and s the network's outputs, 0 at first. Each KL is that of two Gaussians, exact, at x_t
drawn from q(x_t | x_0); p(x_0 | x_1) is discretized to the levels, so that L bounds -log P(levels).
Images are scaled to [-1, 1]. All T terms are taken in each update: it is a family of short chains.
"""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import check_positive
from gm_jax.functional.dequantization import from_symmetric, to_symmetric
from gm_jax.functional.diffusion import at_step, diffuse, posterior_mean, prior_kl
from gm_jax.functional.divergences import kl_diag_gaussians
from gm_jax.functional.likelihoods import (
    discretized_gaussian_log_prob,
    nats_to_bits_per_dim,
    sum_per_example,
)
from gm_jax.functional.noise_schedules import NoiseSchedule, ScheduleName, noise_schedule
from gm_jax.functional.observation import MAX_LOG_SCALE, MIN_LOG_SCALE
from gm_jax.labels import refuse_condition
from gm_jax.model import (
    Array,
    Batch,
    Family,
    FigureKind,
    Metrics,
    TrainState,
    create_state,
    gradient_update,
)
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs

_NETWORK_STEPS = 1000  # the network is told t on this scale, whatever T is
_TERMS_AT_ONCE = 16  # of the bound, in evaluation: bounds memory, changes no number's meaning


@dataclasses.dataclass(frozen=True)
class NaiveDiffusion(Family):
    """A short chain of Gaussian steps with a dense network."""

    network: DenseDenoiser = DenseDenoiser(hidden=(256, 256), activation="leaky_relu")
    """What looks at x_t and t."""
    num_steps: int = 12
    """T, steps of diffusion."""
    schedule: ScheduleName = "linear"
    """Of the noise; it ends in noise at any number of steps."""
    beta_range: tuple[float, float] | None = None
    """β_1 and β_T of the linear schedule (None: those of DDPM, stretched to T steps)."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""

    monitor: ClassVar[str] = "bits_per_dim"

    def __post_init__(self) -> None:
        check_positive(self, "num_steps")
        noise_schedule(self.schedule, self.num_steps, self.beta_range)  # refuses what cannot be

    def quick(self) -> "NaiveDiffusion":
        return dataclasses.replace(
            self,
            network=self.network.quick(),
            num_steps=min(self.num_steps, 4),
            beta_range=None,
        )

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return dict.fromkeys(("bits_per_dim", "neg_elbo", "neg_log_prob"), "bound")

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        x, t = jnp.zeros((1, *spec.shape)), jnp.zeros((1,))
        network = self._network(spec).init(rngs("params/network"), x, t, None, train=False)
        return create_state(rngs, spec, {"network": network["params"]}, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            terms = self._terms(params, batch, rngs, state.spec, self.num_steps)
            means = {name: nats.mean() for name, nats in terms.items()}
            return sum(means.values(), jnp.zeros(())), (means, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """neg_elbo and its parts prior_kl, diffusion and decoder in nats; bits_per_dim."""
        terms = self._terms(state.eval_params, batch, rngs, state.spec)
        neg_elbo = sum(terms.values(), jnp.zeros(()))
        bits = nats_to_bits_per_dim(neg_elbo, state.spec.num_dims)
        return {"neg_elbo": neg_elbo, "bits_per_dim": bits, **terms}

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """Minus the bound, nats, [B]; the mean over `num_samples` draws of the chain."""

        def draw(k: Array) -> Array:  # [B]
            terms = self._terms(state.eval_params, batch, rngs.at(k), state.spec)
            return -sum(terms.values(), jnp.zeros(()))

        return jax.lax.map(draw, jnp.arange(num_samples)).mean(0)

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Down the chain from x_T ~ N(0, I): uint8 levels [num, H, W, C]."""
        refuse_condition("NaiveDiffusion", condition)
        spec = state.spec
        x = jax.random.normal(rngs("prior"), (num, *spec.shape))
        noise_key = rngs("chain")

        def step(x: Array, t: Array) -> tuple[Array, None]:
            mean, log_scale = self._reverse(state.eval_params, x, jnp.full((num,), t), spec)
            noise = jax.random.normal(jax.random.fold_in(noise_key, t), x.shape)
            return mean + jnp.exp(log_scale) * noise, None

        x, _ = jax.lax.scan(step, x, jnp.arange(self.num_steps, 0, -1))
        return from_symmetric(x, spec.num_levels)  # the level in whose bin x lies

    @property
    def _schedule(self) -> NoiseSchedule:
        return noise_schedule(self.schedule, self.num_steps, self.beta_range)

    def _network(self, spec: DataSpec) -> nn.Module:
        return self.network.module(spec.shape, 2 * spec.shape[-1], None, jnp.float32)

    def _reverse(self, params: Any, xt: Array, t: Array, spec: DataSpec) -> tuple[Array, Array]:
        """Mean and log standard deviation of p(x_{t-1} | x_t), each [B, H, W, C]."""
        outputs: Any = self._network(spec).apply(
            {"params": params["network"]},
            xt,
            t * (_NETWORK_STEPS / self.num_steps),
            None,
            train=False,
        )
        m, s = jnp.split(outputs, 2, axis=-1)
        log_scale = jnp.log(at_step(self._schedule.betas, t, xt)) / 2 + s
        return xt + m, jnp.clip(log_scale, MIN_LOG_SCALE, MAX_LOG_SCALE)

    def _terms(
        self,
        params: Any,
        batch: Batch,
        rngs: Rngs,
        spec: DataSpec,
        at_once: int = _TERMS_AT_ONCE,
    ) -> dict[str, Array]:
        """The parts of the bound at one draw of each x_t: nats, [B] each."""
        schedule, levels = self._schedule, batch["image"]
        x0 = to_symmetric(levels, spec.num_levels)
        noise_key = rngs("noise")

        def drawn(step: Array) -> tuple[Array, Array, Array, Array]:
            """t [B], x_t, and mean and log scale of the step back from it."""
            t = jnp.full((len(x0),), step)
            noise = jax.random.normal(jax.random.fold_in(noise_key, step), x0.shape)
            xt = diffuse(schedule, x0, t, noise)
            return t, xt, *self._reverse(params, xt, t, spec)

        def kl(step: Array) -> Array:  # [B]
            t, xt, mean, log_scale = drawn(step)
            posterior_log_scale = jnp.log(at_step(schedule.posterior_variance, t, xt)) / 2
            return sum_per_example(
                kl_diag_gaussians(
                    posterior_mean(schedule, x0, xt, t), posterior_log_scale, mean, log_scale
                )
            )

        _, _, mean, log_scale = drawn(jnp.ones((), jnp.int32))
        decoder = discretized_gaussian_log_prob(levels, mean, log_scale, spec.num_levels)
        steps = jnp.arange(2, self.num_steps + 1)
        kls = jax.lax.map(kl, steps, batch_size=min(at_once, len(steps)))
        return {
            "prior_kl": sum_per_example(prior_kl(schedule, x0)),
            "diffusion": kls.sum(0),
            "decoder": -sum_per_example(decoder),
        }
