"""Denoising diffusion (Ho et al. 2020, arXiv:2006.11239), and few-step samplers of it.

  simple       || target - network(x_t, t) ||^2          t uniform in 1 .. T, mean over the values
  variational  T L_t, the t-th term of the bound below   t uniform in 1 .. T, sum over the values

  L = KL(q(x_T | x_0) || N(0, I)) + sum_{t=2}^T KL(q(x_{t-1} | x_t, x_0) || q(x_{t-1} | x_t, x̂_0))
      - log p(x_0 | x_1)                                   nats, summed over the values of an image

The reverse step is the posterior with the predicted x̂_0 in place of x_0, so its variance is β̃_t.
The decoder p(x_0 | x_1) is a Gaussian around x̂_0, for images discretized to their levels, so that L
bounds -log P(levels); for points L bounds -log of a density.

Images are scaled to [-1, 1], and x̂_0 is clipped to that in samples and in the bound, which makes
the reverse step another one but the bound no less a bound; the losses see it as it is.
"""

import dataclasses
import math
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import (
    ConfigError,
    check_fraction,
    check_not_negative,
    check_positive,
)
from gm_jax.functional.dequantization import from_symmetric, to_symmetric
from gm_jax.functional.diffusion import (
    Prediction,
    diffuse,
    predicted_x0,
    prediction_target,
    prior_kl,
    step_kl,
)
from gm_jax.functional.diffusion_samplers import (
    Denoising,
    VarianceName,
    grid_steps,
    log_snr_steps,
    sample_ancestral,
    sample_ddim,
    sample_dpm_solver_pp_2m,
)
from gm_jax.functional.dtypes import DTYPES
from gm_jax.functional.level_waves import level_waves
from gm_jax.functional.likelihoods import (
    discretized_gaussian_log_prob,
    gaussian_log_prob,
    nats_to_bits_per_dim,
    sum_per_example,
)
from gm_jax.functional.noise_schedules import NoiseSchedule, ScheduleName, noise_schedule
from gm_jax.functional.observation import MAX_LOG_SCALE, MIN_LOG_SCALE
from gm_jax.labels import labels_of, labels_to_draw, num_labels, refuse_condition
from gm_jax.metrics.flattening import flat
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
from gm_jax.nets.denoisers import Denoiser
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs
from gm_jax.sampling import DiffusionSampling

_COSINE_BEGIN = 0.995  # Lu et al. 2022 (arXiv:2206.00927), appendix D.1: 0.9946
_NETWORK_STEPS = 1000  # a network is told t on this scale, whatever T is


@dataclasses.dataclass(frozen=True)
class DDPM(Family):
    """A network that takes noise off, step by step."""

    network: Denoiser = UNet()
    """What looks at x_t and t."""
    num_steps: int = 1000
    """T, steps of diffusion."""
    schedule: ScheduleName = "linear"
    """Of the noise; it ends in noise at any number of steps."""
    beta_range: tuple[float, float] | None = None
    """β_1 and β_T of the linear schedule (None: those of the paper, stretched to T steps)."""
    prediction: Prediction = "epsilon"
    """What the network says: the noise, the clean image, or v."""
    loss: Literal["simple", "variational"] = "simple"
    """Squared error of the prediction, or a term of the bound."""
    learn_decoder_scale: bool = True
    """Whether the standard deviation of p(x_0|x_1), one number, is learned or stays what it is."""
    decoder_scale: VarianceName = "posterior"
    """Where it begins: sqrt(β̃_2), as published, or sqrt(β_1)."""
    wave_octaves: int = 0
    """Sines and cosines of x_t that the network sees beside it, with periods of one level, of two,
    of four, ...: with them it can take off noise that is smaller than a level (0: none)."""
    conditional: bool = False
    """Whether the network is told the label: p(x|y)."""
    label_dropout: float = 0.0
    """Probability of training without the label, which guidance needs (0.1, say)."""
    bound_terms: int = 8
    """Terms of the bound that evaluate draws for each image, besides the decoder's (all, if it has
    no more); -log p takes all."""
    sampling: DiffusionSampling = DiffusionSampling()
    """How images are drawn."""
    clip_x0: bool = True
    """Whether x̂_0 is clipped to [-1, 1] in sampling and in the bound; points never are."""
    optimizer: Optimizer = Optimizer(learning_rate=2e-4)
    """How the parameters move."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the network computes in; parameters and losses stay float32."""

    monitor: ClassVar[str] = "bits_per_dim"
    takes_points: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, "num_steps", "bound_terms")
        check_not_negative(self, "wave_octaves")
        check_fraction(self, "label_dropout")
        noise_schedule(self.schedule, self.num_steps, self.beta_range)  # refuses what cannot be
        calls = self.sampling.sampler_steps
        if calls is not None and calls > self.num_steps:
            raise ConfigError(
                f"DDPM.sampling.sampler_steps must be at most the {self.num_steps} steps it was "
                f"trained with (num_steps), not {calls}"
            )
        if self.label_dropout and not self.conditional:
            raise ConfigError("DDPM.label_dropout drops labels that are not there: set conditional")
        if self.sampling.guidance != 1 and not self.conditional:
            raise ConfigError(
                "DDPM.sampling.guidance needs a model that was trained with labels: leave it 1"
            )
        if self.sampling.guidance != 1 and not self.label_dropout:
            raise ConfigError(
                "DDPM.sampling.guidance needs a model that was also trained without labels "
                "(label_dropout above 0): leave it 1"
            )

    def quick(self) -> "DDPM":
        return dataclasses.replace(
            self,
            network=self.network.quick(),
            num_steps=min(self.num_steps, 4),
            beta_range=None,
            bound_terms=min(self.bound_terms, 2),
            sampling=dataclasses.replace(self.sampling, sampler_steps=None),
        )

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return {
            "bits_per_dim": "bound",
            "neg_elbo": "bound",
            "neg_log_prob": "bound",
        }

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: a conditional model of data without labels.
        """
        if self.conditional:
            num_labels("a conditional DDPM", spec)
        zero = jnp.zeros((1,), jnp.int32)
        network = self._network(spec).init(
            rngs("params/network"),
            self._seen(jnp.zeros((1, *spec.shape)), spec),
            jnp.zeros((1,)),
            zero if self.conditional else None,
            train=False,
        )["params"]
        params = {"network": network}
        if self.learn_decoder_scale:
            params["decoder_log_scale"] = self._first_log_scale
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        spec, schedule = state.spec, self._schedule
        x0 = _scaled(batch["image"], spec)  # [B, H, W, C]
        t = jax.random.randint(rngs("timestep"), (len(x0),), 1, self.num_steps + 1)
        noise = jax.random.normal(rngs("noise"), x0.shape)
        xt = diffuse(schedule, x0, t, noise)
        target = prediction_target(self.prediction, schedule, x0, t, noise)
        label = self._dropped(rngs, self._labels(batch), spec)

        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            output = self._apply(params, spec, xt, t, label, rngs("dropout"))
            error = ((output - target) ** 2).reshape(len(x0), -1).mean(1)  # [B]
            x0_hat = predicted_x0(self.prediction, schedule, output, xt, t)
            # The decoder counts at t = 1 only. Elsewhere it sees x0: a guess from almost no signal
            # is so large that its gradient is not a number, and 0 times that would not be one.
            decoded = jnp.where(t.reshape(-1, *[1] * (x0.ndim - 1)) == 1, x0_hat, x0)
            if self.loss == "variational":
                decoder = -self._decoder_log_prob(params, spec, batch["image"], decoded)  # [B]
                kl = sum_per_example(step_kl(schedule, x0, x0_hat, t))  # [B]
                loss = self.num_steps * jnp.where(t == 1, decoder, kl)
            else:
                # The scale of the decoder learns from the examples at its step; nothing else does.
                fixed = self._clipped(jax.lax.stop_gradient(decoded), spec)
                decoder = -self._decoder_log_prob(params, spec, batch["image"], fixed)
                decoder = jnp.where(t == 1, decoder / spec.num_dims, 0.0)
                loss = error + decoder - jax.lax.stop_gradient(decoder)
            return loss.mean(), ({"mse": error.mean()}, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """neg_elbo and its parts prior_kl, diffusion and decoder in nats; bits_per_dim; mse.

        The sum over t is estimated without bias from `bound_terms` of its terms, one in each of as
        many equal strata of 2 .. T; where it has no more terms than that, all are taken. mse is
        the error of the prediction, a mean over the values and over t uniform in 1 .. T as in
        training, from t = 1 and the same drawn terms.
        """
        t = self._drawn_steps(rngs, len(batch["image"]))  # [n, B]
        figures = self._bound(state, batch, rngs, t)
        figures["bits_per_dim"] = nats_to_bits_per_dim(figures["neg_elbo"], state.spec.num_dims)
        return figures

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """Minus the bound with all its T terms, nats, [B]; the mean over `num_samples` draws."""
        num = len(batch["image"])
        every = jnp.broadcast_to(
            jnp.arange(2, self.num_steps + 1)[:, None], (self.num_steps - 1, num)
        )

        def draw(k: Array) -> Array:  # [B]
            return -self._bound(state, batch, rngs.at(k), every)["neg_elbo"]

        return jax.lax.map(draw, jnp.arange(num_samples)).mean(0)

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Images from noise: uint8 levels [num, H, W, C] (points: float32).

        Args:
          state: of a trained model.
          rngs: of the noise.
          num: how many.
          condition: labels [num] of a conditional model (None: the classes in turn, 0, 1, 2, ...).

        Raises:
          UserError: a condition to a model without labels.
        """
        z = self.draw_latents(state, rngs, num)
        return self._generate(state, z, condition, rngs("sampler"))

    def draw_latents(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """x_T ~ N(0, I), float32 [num, H W C].

        They are never truncated: from less noise than in training images turn grey, not typical.
        """
        return jax.random.normal(rngs("prior"), (num, state.spec.num_dims))

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """Images of latents x_T [B, H W C], by a sampler that adds no noise.

        It is dpm_solver_pp_2m where that is the model's sampler, and ddim with η = 0 elsewhere.
        """
        if self.sampling.sampler == "dpm_solver_pp_2m":
            return self._generate(state, z, condition, None)
        sampling = dataclasses.replace(self.sampling, sampler="ddim", eta=0.0, variance="posterior")
        return dataclasses.replace(self, sampling=sampling)._generate(state, z, condition, None)

    @property
    def _first_log_scale(self) -> Array:
        """Of p(x_0|x_1), before it is learned; β̃_1 is 0, so that of step 2 stands for it."""
        schedule = self._schedule
        if self.decoder_scale == "beta":
            return jnp.log(jnp.float32(schedule.sigma[1]))
        return 0.5 * jnp.log(jnp.float32(schedule.posterior_variance[2]))

    @property
    def _schedule(self) -> NoiseSchedule:
        return noise_schedule(self.schedule, self.num_steps, self.beta_range)

    def _network(self, spec: DataSpec) -> nn.Module:
        num_classes = spec.num_classes if self.conditional else None
        return self.network.module(spec.shape, spec.shape[-1], num_classes, DTYPES[self.dtype])

    def _apply(
        self,
        params: Any,
        spec: DataSpec,
        xt: Array,
        t: Array,
        label: Array | None,
        dropout_key: Array | None = None,
    ) -> Array:
        """The network's output, [B, H, W, C], at steps [B]; training with a key."""
        output: Any = self._network(spec).apply(
            {"params": params["network"]},
            self._seen(xt, spec),
            t * (_NETWORK_STEPS / self.num_steps),
            label,
            train=dropout_key is not None,
            rngs=None if dropout_key is None else {"dropout": dropout_key},
        )
        return jnp.asarray(output)

    def _seen(self, xt: Array, spec: DataSpec) -> Array:
        """x_t with its waves behind it; points have no levels."""
        if not self.wave_octaves or spec.continuous:
            return xt
        return jnp.concatenate([xt, level_waves(xt, spec.num_levels, self.wave_octaves)], -1)

    def _labels(self, batch: Batch) -> Array | None:
        return labels_of("DDPM", batch) if self.conditional else None

    def _dropped(self, rngs: Rngs, label: Array | None, spec: DataSpec) -> Array | None:
        """Labels [B], of which some became that of no label."""
        if label is None or not self.label_dropout:
            return label
        dropped = jax.random.bernoulli(rngs("label_dropout"), self.label_dropout, label.shape)
        return jnp.where(dropped, spec.num_classes or 0, label)

    def _clipped(self, x0: Array, spec: DataSpec) -> Array:
        return jnp.clip(x0, -1.0, 1.0) if self.clip_x0 and not spec.continuous else x0

    def _decoder_log_prob(self, params: Any, spec: DataSpec, image: Array, mean: Array) -> Array:
        """log p(x_0 | x_1) by its mean x̂_0: nats, [B]."""
        log_scale = self._first_log_scale
        if self.learn_decoder_scale:
            log_scale = jnp.clip(params["decoder_log_scale"], MIN_LOG_SCALE, MAX_LOG_SCALE)
        if spec.continuous:
            x0 = spec.standardized(image)
            return sum_per_example(gaussian_log_prob(x0, mean, log_scale)) - spec.log_scale
        rows = (flat(image), flat(mean))  # [B, P]
        return discretized_gaussian_log_prob(*rows, log_scale, spec.num_levels).sum(1)

    def _drawn_steps(self, rngs: Rngs, num: int) -> Array:
        """Steps of 2 .. T for each example, [n, B]: one in each stratum, or all in order."""
        most = self.num_steps - 1
        if most <= self.bound_terms:
            return jnp.broadcast_to(jnp.arange(2, self.num_steps + 1)[:, None], (most, num))
        strata = jnp.arange(self.bound_terms)[:, None]
        u = jax.random.uniform(rngs("timestep"), (1, num))
        drawn = jnp.floor((strata + u) / self.bound_terms * most).astype(jnp.int32)
        return 2 + jnp.minimum(drawn, most - 1)

    def _bound(self, state: TrainState, batch: Batch, rngs: Rngs, t: Array) -> dict[str, Array]:
        """The terms of the bound in nats, with the sum over 2 .. T from those at t [n, B]."""
        spec, schedule, params = state.spec, self._schedule, state.eval_params
        image, label = batch["image"], self._labels(batch)
        x0 = _scaled(image, spec)
        noise_key = rngs("noise")

        def term(at: tuple[Array, Array]) -> tuple[Array, Array]:
            """Nats of the terms at steps t [B], and the squared error of the prediction, [B]."""
            i, t = at
            noise = jax.random.normal(jax.random.fold_in(noise_key, i), x0.shape)
            xt = diffuse(schedule, x0, t, noise)
            output = self._apply(params, spec, xt, t, label)
            target = prediction_target(self.prediction, schedule, x0, t, noise)
            x0_hat = predicted_x0(self.prediction, schedule, output, xt, t)
            x0_hat = self._clipped(x0_hat, spec)
            decoder = -self._decoder_log_prob(params, spec, image, x0_hat)
            kl = sum_per_example(step_kl(schedule, x0, x0_hat, t))
            error = ((output - target) ** 2).reshape(len(x0), -1).mean(1)
            return jnp.where(t == 1, decoder, kl), error

        first = jnp.ones((1, t.shape[1]), t.dtype)
        nats, error = jax.lax.map(
            term, (jnp.arange(len(t) + 1), jnp.concatenate([first, t]))
        )  # [1 + n, B]
        prior = sum_per_example(prior_kl(schedule, x0))
        diffusion = (self.num_steps - 1) * nats[1:].mean(0)
        return {
            "neg_elbo": prior + diffusion + nats[0],
            "prior_kl": prior,
            "diffusion": diffusion,
            "decoder": nats[0],
            "mse": (error[0] + (self.num_steps - 1) * error[1:].mean(0)) / self.num_steps,
        }

    def _generate(self, state: TrainState, z: Array, condition: Any, key: Array | None) -> Array:
        """Images of x_T [B, H W C] by the model's sampler; one that adds noise needs a key."""
        spec, schedule = state.spec, self._schedule
        denoise = self._denoiser(state, self._condition(condition, len(z), spec))
        x = z.reshape(-1, *spec.shape)
        calls = self.sampling.sampler_steps or self.num_steps
        steps = grid_steps(self.sampling.grid, self.num_steps, calls)
        key = jax.random.key(0) if key is None else key
        match self.sampling.sampler:
            case "ancestral":
                x = sample_ancestral(denoise, schedule, steps, x, key, self.sampling.variance)
            case "ddim":
                x = sample_ddim(denoise, schedule, steps, x, key, self.sampling.eta)
            case "dpm_solver_pp_2m":
                begin = self.sampling.begin or (_COSINE_BEGIN if self.schedule == "cosine" else 1)
                steps = log_snr_steps(schedule, calls, math.ceil(begin * self.num_steps))
                x = sample_dpm_solver_pp_2m(denoise, schedule, steps, x)
        return spec.restored(x) if spec.continuous else from_symmetric(x, spec.num_levels)

    def _condition(self, condition: Any, num: int, spec: DataSpec) -> Array | None:
        """Labels [num], or None for a model without."""
        if self.conditional:
            return labels_to_draw(condition, num, spec)
        refuse_condition("DDPM", condition)
        return None

    def _denoiser(self, state: TrainState, label: Array | None) -> Denoising:
        """(x_t [B, H, W, C], t) -> x̂_0, guided and clipped."""
        spec, schedule, params = state.spec, self._schedule, state.eval_params
        guidance = self.sampling.guidance

        def network(x: Array, t: Array, label: Array | None) -> Array:
            return self._apply(params, spec, x, t, label)

        def denoise(x: Array, t: Array) -> Array:
            at = jnp.full((len(x),), t)
            if label is None or guidance == 1:
                output = network(x, at, label)
            else:
                # Both in one call. What a network may predict is affine in x̂_0, so it makes no
                # difference which of them is extrapolated.
                none = jnp.full_like(label, spec.num_classes or 0)
                told, untold = jnp.split(
                    network(
                        jnp.concatenate([x, x]),
                        jnp.concatenate([at, at]),
                        jnp.concatenate([label, none]),
                    ),
                    2,
                )
                output = untold + guidance * (told - untold)
            x0 = predicted_x0(self.prediction, schedule, output, x, at)
            return self._clipped(x0, spec)

        return denoise


def _scaled(image: Array, spec: DataSpec) -> Array:
    """float32 [B, H, W, C]: levels on [-1, 1], points as they are or standardized."""
    return spec.standardized(image) if spec.continuous else to_symmetric(image, spec.num_levels)
