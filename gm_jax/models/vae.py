"""Variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114).

  -ELBO(x) = -E_q(z|x)[log p(x|z)] + KL(q(z|x) || N(0, I))     nats, summed over pixels and latents

with beta (Higgins et al. 2017), KL warm-up (Sonderby et al. 2016), free bits (Kingma et al. 2016)
and the importance-weighted bound (Burda et al. 2016, arXiv:1509.00519), which may be the loss too:

  -L_K(x) = -E_{z_1..z_K ~ q(z|x)}[log 1/K sum_k w_k],   w_k = p(x|z_k) p(z_k) / q(z_k|x)

whose mean gradients are drawn as they come, or doubly reparameterized (Tucker et al. 2018,
arXiv:1810.04152): functional/doubly_reparameterized.py. While the KL warms up, w_k has beta as the
power of p(z_k) / q(z_k|x).

Reductions: every term is a sum over the values of one image and a mean over the batch, so that
neither the loss nor its balance changes with the batch size.
"""

import dataclasses
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, check_not_negative, check_positive
from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.divergences import kl_diag_gaussian_standard
from gm_jax.functional.doubly_reparameterized import doubly_reparameterized
from gm_jax.functional.dtypes import DTYPES
from gm_jax.functional.latents import truncated_normal
from gm_jax.functional.likelihoods import (
    gaussian_log_prob,
    importance_log_prob,
    nats_to_bits_per_dim,
    sum_per_example,
)
from gm_jax.functional.observation import Observation, ObservationName, observation
from gm_jax.labels import refuse_condition
from gm_jax.metrics.image import bce, mse, psnr
from gm_jax.metrics.ssim import SSIM_WINDOW, ssim
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
from gm_jax.nets.coders import Coder, DenseCoder, init_coder
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs
from gm_jax.sampling import LatentSampling

# Latents, of all images together, that log_prob decodes at once: bounds memory, whatever the batch.
# Changes no number's meaning.
_DECODED_AT_ONCE = 400


@dataclasses.dataclass(frozen=True)
class VAE(Family):
    """Gaussian latents, and any observation model."""

    coder: Coder = DenseCoder()
    """Encoder and decoder."""
    latent_dim: int = 16
    """Size of z (channels of z, where the code is a feature map)."""
    likelihood: ObservationName = "bernoulli"
    """Observation model p(x|z)."""
    scale: float = 0.1
    """Standard deviation of the fixed Gaussian likelihood, on [0, 1]."""
    beta: float = 1.0
    """Weight of the KL in the loss (the figures reported are always those of beta 1)."""
    warmup_steps: int = 0
    """Steps over which beta grows linearly from 0."""
    free_bits: float = 0.0
    """Nats of KL per latent (batch mean) that cost the loss nothing."""
    train_samples: int = 1
    """K, latents for each image in the loss: 1 is the ELBO, more the importance-weighted bound."""
    gradient: Literal["standard", "dreg"] = "standard"
    """Of the encoder: of the loss as it is drawn, or doubly reparameterized, which is less noisy;
    the KL is then drawn too, not its closed form."""
    sampling: LatentSampling = LatentSampling()
    """How images are drawn."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the networks compute in; parameters and losses stay float32."""

    monitor: ClassVar[str] = "neg_elbo"

    def __post_init__(self) -> None:
        check_positive(self, "latent_dim", "scale", "train_samples")
        check_not_negative(self, "beta", "warmup_steps", "free_bits")
        if self.train_samples > 1 and self.beta != 1:
            raise ConfigError(
                f"VAE.beta {self.beta:g} does not go with train_samples {self.train_samples}: the "
                "importance-weighted bound has beta 1 (warmup_steps may grow it from 0)"
            )
        if self.free_bits and self._weighted:
            raise ConfigError(
                f"VAE.free_bits {self.free_bits:g} needs the KL's closed form: leave train_samples "
                "1 and gradient standard"
            )

    def quick(self) -> "VAE":
        return dataclasses.replace(
            self,
            coder=self.coder.quick(),
            latent_dim=min(self.latent_dim, 4),
            train_samples=min(self.train_samples, 2),
        )

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        kind = self._observation.kind(spec.num_levels)
        names = ("neg_elbo", "neg_iwae", "bits_per_dim", "neg_log_prob")
        return dict.fromkeys(names, kind)

    @property
    def _weighted(self) -> bool:
        """Whether the loss is made of log-weights."""
        return self.train_samples > 1 or self.gradient == "dreg"

    @property
    def _observation(self) -> Observation:
        return observation(self.likelihood, self.scale)

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        code_shape = self.coder.code_shape(spec.shape, self.latent_dim)
        params = init_coder(rngs, self._encoder(), self._decoder(spec), spec.shape, code_shape)
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        """A step down the loss; mse and psnr are those of decoded draws, one for each image."""
        spec, image = state.spec, batch["image"]
        beta = self.beta * self._warmup(state.step)

        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            if self._weighted:
                bound, log_px_z, kl, outputs = self._weighted_terms(params, image, rngs, spec, beta)
                loss = -bound.mean()
            else:
                log_px_z, kl, outputs = self._elbo_terms(params, image, rngs, spec)
                # max over batch means per latent: a latent pays only beyond its free nats.
                kl_paid = jnp.maximum(kl.mean(0), self.free_bits).sum()
                loss = -log_px_z.mean() + beta * kl_paid
            kl_mean = kl.sum(1).mean()
            x, y = to_unit(image, spec.num_levels), self._observation.mean(outputs, spec.num_levels)
            metrics = {
                "neg_elbo": -log_px_z.mean() + kl_mean,
                "reconstruction": -log_px_z.mean(),
                "kl": kl_mean,
                "mse": mse(y, x).mean(),
                "psnr": psnr(y, x).mean(),
            }
            return loss, (metrics, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """neg_elbo, reconstruction and kl in nats; bits_per_dim (no surrogates).

        Of the mean code's mean image, on [0, 1]: mse; bce, the cross-entropy, as a mean over the
        values; psnr in dB; ssim of images that its window of 11 pixels fits into. Where several
        latents are trained with, neg_iwae is the bound of as many.
        """
        spec = state.spec
        log_px_z, kl_terms, _ = self._elbo_terms(state.eval_params, batch["image"], rngs, spec)
        kl = kl_terms.sum(1)  # [B]
        mean, _ = self._posterior(state.eval_params, batch["image"], spec)
        outputs = self._decode(state.eval_params, mean, spec)
        x = to_unit(batch["image"], spec.num_levels)
        y = self._observation.mean(outputs, spec.num_levels)
        figures = {
            "neg_elbo": kl - log_px_z,
            "reconstruction": -log_px_z,
            "kl": kl,
            "mse": mse(y, x),
            "bce": bce(y, x),
            "psnr": psnr(y, x),
        }
        if min(spec.shape[:2]) >= SSIM_WINDOW:
            figures["ssim"] = ssim(y, x)
        if self.train_samples > 1:
            figures["neg_iwae"] = -self.log_prob(state, batch, rngs, self.train_samples)
        if self._observation.kind(spec.num_levels) == "bound":
            figures["bits_per_dim"] = nats_to_bits_per_dim(kl - log_px_z, spec.num_dims)
        return figures

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """IWAE-K, a lower bound of log p(x) in nats, [B], that grows with K = num_samples."""
        spec, image = state.spec, batch["image"]
        mean, log_scale = self._posterior(state.eval_params, image, spec)
        decode_key, observe_key = rngs("reparameterization"), rngs("dequantization")

        def log_weight(k: Array) -> Array:  # [B]
            noise = jax.random.normal(jax.random.fold_in(decode_key, k), mean.shape)
            z = mean + jnp.exp(log_scale) * noise
            outputs = self._decode(state.eval_params, z, spec)
            log_px_z = self._observation.log_prob(observe_key, outputs, image, spec.num_levels)
            return log_px_z + _log_prior_ratio(z, mean, log_scale)

        at_once = max(1, _DECODED_AT_ONCE // len(image))
        log_weights = jax.lax.map(
            log_weight, jnp.arange(num_samples), batch_size=min(at_once, num_samples)
        )  # [K, B]
        return importance_log_prob(log_weights)

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Draws z from the prior and an image from p(x|z): uint8 levels [num, H, W, C]."""
        refuse_condition("VAE", condition)
        outputs = self._prior_outputs(state, rngs, num)
        return self._observation.sample(rngs("observation"), outputs, state.spec.num_levels)

    def sample_means(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """Means of p(x|z) in [0, 1] for the same z as `sample` with the same rngs."""
        outputs = self._prior_outputs(state, rngs, num)
        return self._observation.mean(outputs, state.spec.num_levels)

    def reconstruct(self, state: TrainState, rngs: Rngs, batch: Batch) -> Array:
        """The mean image of the mean code: uint8 levels [B, H, W, C]."""
        mean, _ = self._posterior(state.eval_params, batch["image"], state.spec)
        return self._levels(self._decode(state.eval_params, mean, state.spec), state.spec)

    def encode(self, state: TrainState, batch: Batch) -> Array:
        """Posterior means, [B, *code_shape]."""
        return self._posterior(state.eval_params, batch["image"], state.spec)[0]

    def draw_latents(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """z ~ N(0, I), float32 [num, *code_shape], of which none exceeds the truncation, if any."""
        shape = (num, *self.coder.code_shape(state.spec.shape, self.latent_dim))
        return truncated_normal(rngs("prior"), shape, self.sampling.truncation)

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """Mean images, uint8 levels [B, H, W, C], of codes [B, *code_shape].

        Raises:
          UserError: a condition, to a family without labels.
        """
        refuse_condition("VAE", condition)
        return self._levels(self._decode(state.eval_params, z, state.spec), state.spec)

    def _warmup(self, step: Array) -> Array:
        if not self.warmup_steps:
            return jnp.ones(())
        return jnp.minimum(1.0, (step + 1) / self.warmup_steps)

    def _encoder(self) -> Any:
        return self.coder.encoder(2, self.latent_dim, DTYPES[self.dtype])

    def _decoder(self, spec: DataSpec) -> Any:
        num_outputs = spec.shape[-1] * self._observation.num_params(spec.num_levels)
        return self.coder.decoder(spec.shape, num_outputs, DTYPES[self.dtype])

    def _posterior(self, params: Any, image: Array, spec: DataSpec) -> tuple[Array, Array]:
        """Mean and log scale of q(z|x), each [B, *code_shape]."""
        x = to_unit(image, spec.num_levels)
        codes = self._encoder().apply({"params": params["encoder"]}, x).astype(jnp.float32)
        # log scale is half of log variance; bounded so that exp cannot overflow early in training.
        return codes[..., 0], jnp.clip(0.5 * codes[..., 1], -10.0, 10.0)

    def _decode(self, params: Any, z: Array, spec: DataSpec) -> Array:
        return self._decoder(spec).apply({"params": params["decoder"]}, z)

    def _elbo_terms(
        self, params: Any, image: Array, rngs: Rngs, spec: DataSpec
    ) -> tuple[Array, Array, Array]:
        """log p(x|z) for one z ~ q(z|x), [B], the KL of each latent, [B, D], and the outputs."""
        mean, log_scale = self._posterior(params, image, spec)
        noise = jax.random.normal(rngs("reparameterization"), mean.shape)
        z = mean + jnp.exp(log_scale) * noise
        outputs = self._decode(params, z, spec)
        log_px_z = self._observation.log_prob(
            rngs("dequantization"), outputs, image, spec.num_levels
        )
        return log_px_z, _kl(mean, log_scale), outputs

    def _weighted_terms(
        self, params: Any, image: Array, rngs: Rngs, spec: DataSpec, beta: Array
    ) -> tuple[Array, Array, Array, Array]:
        """The bound L_K, [B], and the terms of the ELBO: mean log p(x|z_k), KL, outputs of z_1."""
        num = self.train_samples
        mean, log_scale = self._posterior(params, image, spec)
        noise = jax.random.normal(rngs("reparameterization"), (num, *mean.shape))
        z = mean[None] + jnp.exp(log_scale)[None] * noise  # [K, B, *code_shape]

        def terms(decoder: Any, z: Array, q: tuple[Array, Array]) -> tuple[Array, Any]:
            """log w, and on the way log p(x|z), [K, B] each, and the outputs of z_1."""
            flat = self._decode({"decoder": decoder}, z.reshape(-1, *z.shape[2:]), spec)
            outputs = flat.reshape(*z.shape[:2], *flat.shape[1:])
            log_px_z = jax.vmap(
                lambda o: self._observation.log_prob(
                    rngs("dequantization"), o, image, spec.num_levels
                )
            )(outputs)
            log_ratio = jax.vmap(lambda z: _log_prior_ratio(z, *q))(z)
            return log_px_z + beta * log_ratio, (log_px_z, outputs[0])

        posterior = (mean, log_scale)
        if self.gradient == "dreg":
            bound, (log_px_z, outputs) = doubly_reparameterized(
                terms, params["decoder"], z, posterior, beta
            )
        else:
            log_w, (log_px_z, outputs) = terms(params["decoder"], z, posterior)
            bound = importance_log_prob(log_w)
        return bound, log_px_z.mean(0), _kl(mean, log_scale), outputs

    def _prior_outputs(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        return self._decode(state.eval_params, self.draw_latents(state, rngs, num), state.spec)

    def _levels(self, outputs: Array, spec: DataSpec) -> Array:
        return from_unit(self._observation.mean(outputs, spec.num_levels), spec.num_levels)


def _kl(mean: Array, log_scale: Array) -> Array:
    """KL of each latent of an image, [B, D]."""
    kl = kl_diag_gaussian_standard(mean, log_scale)
    return kl.reshape(kl.shape[0], -1)


def _log_prior_ratio(z: Array, mean: Array, log_scale: Array) -> Array:
    """log p(z) - log q(z|x) of latents [B, ...], nats, [B]."""
    log_pz = sum_per_example(gaussian_log_prob(z, jnp.zeros(()), jnp.zeros(())))
    return log_pz - sum_per_example(gaussian_log_prob(z, mean, log_scale))
