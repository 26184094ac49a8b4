"""Autoencoder, plain and denoising (Hinton & Salakhutdinov 2006; Vincent et al. 2008).

  loss(x) = d(x, decode(encode(x + noise)))

with d the squared error or the cross-entropy against the clean image. `reduction` says whether d
is the mean or the sum over the values of an image; over the batch it is always the mean.
"""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import check_not_negative, check_positive
from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.dtypes import DTYPES
from gm_jax.functional.likelihoods import bernoulli_log_prob
from gm_jax.labels import refuse_condition
from gm_jax.metrics.flattening import flat
from gm_jax.metrics.image import mse, psnr
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


@dataclasses.dataclass(frozen=True)
class Autoencoder(Family):
    """A code for each image, and the image back from it."""

    coder: Coder = DenseCoder()
    """Encoder and decoder."""
    latent_dim: int = 32
    """Size of the code (its channels, where the code is a feature map)."""
    loss: Literal["mse", "bce"] = "mse"
    """Squared error or cross-entropy."""
    reduction: Literal["mean", "sum"] = "mean"
    """Over the values of one image."""
    noise: float = 0.0
    """Standard deviation of the noise on the input (denoising), which is then clipped to [0, 1]."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the networks compute in; parameters and losses stay float32."""

    def __post_init__(self) -> None:
        check_positive(self, "latent_dim")
        check_not_negative(self, "noise")

    def quick(self) -> "Autoencoder":
        return dataclasses.replace(
            self, coder=self.coder.quick(), latent_dim=min(self.latent_dim, 4)
        )

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return {"loss": "error"}

    def supports(self, ability: str, spec: DataSpec) -> bool:
        return ability != "corrupt" or self.noise > 0

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        code_shape = self.coder.code_shape(spec.shape, self.latent_dim)
        params = init_coder(rngs, self._encoder(), self._decoder(spec), spec.shape, code_shape)
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        x = to_unit(batch["image"], state.spec.num_levels)
        corrupted = self._corrupt(rngs, x)

        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            logits = self._logits(params, corrupted, state.spec)
            return self._loss(logits, x).mean(), ({}, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """loss as trained; mse and bce as means over the values on [0, 1]; psnr in dB; ssim.

        Images smaller than SSIM's window of 11 pixels have no ssim.
        """
        x = to_unit(batch["image"], state.spec.num_levels)
        logits = self._logits(state.eval_params, self._corrupt(rngs, x), state.spec)
        y = jax.nn.sigmoid(logits)
        figures = {
            "loss": self._loss(logits, x),
            "mse": mse(y, x),
            "bce": -bernoulli_log_prob(flat(logits), flat(x)).mean(1),
            "psnr": psnr(y, x),
        }
        if min(x.shape[1:3]) >= SSIM_WINDOW:
            figures["ssim"] = ssim(y, x)
        return figures

    def corrupt(self, state: TrainState, rngs: Rngs, batch: Batch) -> Array:
        """What the encoder sees when reconstructing: uint8 levels [B, H, W, C]."""
        x = self._corrupt(rngs, to_unit(batch["image"], state.spec.num_levels))
        return from_unit(x, state.spec.num_levels)

    def reconstruct(self, state: TrainState, rngs: Rngs, batch: Batch) -> Array:
        """Images through the code and back: uint8 levels [B, H, W, C]."""
        x = self._corrupt(rngs, to_unit(batch["image"], state.spec.num_levels))
        return self._levels(self._logits(state.eval_params, x, state.spec), state.spec)

    def encode(self, state: TrainState, batch: Batch) -> Array:
        """Codes [B, *code_shape] of the clean images."""
        return self._encode(state.eval_params, to_unit(batch["image"], state.spec.num_levels))

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """uint8 levels [B, H, W, C] of codes [B, *code_shape].

        Raises:
          UserError: a condition, to a family without labels.
        """
        refuse_condition("Autoencoder", condition)
        return self._levels(self._decode(state.eval_params, z, state.spec), state.spec)

    def _corrupt(self, rngs: Rngs, x: Array) -> Array:
        if not self.noise:
            return x
        noise = self.noise * jax.random.normal(rngs("corruption"), x.shape)
        return jnp.clip(x + noise, 0.0, 1.0)

    def _encoder(self) -> Any:
        return self.coder.encoder(1, self.latent_dim, DTYPES[self.dtype])

    def _decoder(self, spec: DataSpec) -> Any:
        return self.coder.decoder(spec.shape, spec.shape[-1], DTYPES[self.dtype])

    def _encode(self, params: Any, x: Array) -> Array:
        return self._encoder().apply({"params": params["encoder"]}, x)[..., 0]

    def _decode(self, params: Any, z: Array, spec: DataSpec) -> Array:
        logits = self._decoder(spec).apply({"params": params["decoder"]}, z)
        return logits.astype(jnp.float32)

    def _logits(self, params: Any, x: Array, spec: DataSpec) -> Array:
        """Logits of the reconstruction, [B, H, W, C]: sigmoid keeps it in the images' range."""
        return self._decode(params, self._encode(params, x), spec)

    def _loss(self, logits: Array, x: Array) -> Array:  # [B]
        if self.loss == "mse":
            error = flat((jax.nn.sigmoid(logits) - x) ** 2)
        else:
            error = -bernoulli_log_prob(flat(logits), flat(x))
        return error.mean(1) if self.reduction == "mean" else error.sum(1)

    def _levels(self, logits: Array, spec: DataSpec) -> Array:
        return from_unit(jax.nn.sigmoid(logits), spec.num_levels)
