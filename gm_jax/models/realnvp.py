"""RealNVP: a normalizing flow of affine couplings (Dinh et al. 2017, arXiv:1605.08803).

  log p(x) = log N(f(x); 0, I) + log |det df/dx|

Points have this density, in their own units also where they are standardized for the flow. Images
of L levels are dequantized to x = (levels + u) / L and brought to the whole real line by
y = logit(alpha + (1 - 2 alpha) x), which gives a bound on their probability,

  log P(levels) >= E_q(u)[log p(y) + log |det dy/dx| - log q(u | levels)] - D log L

with u uniform, or drawn from a flow that looks at the image (Ho et al. 2019, Flow++,
arXiv:1902.00275, section 3.1). Both are importance samples, so K draws give a tighter bound.

Reductions: sums over the values of one image, means over the batch.
"""

import dataclasses
import math
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError
from gm_jax.functional.bijectors import logit_forward, logit_inverse
from gm_jax.functional.dequantization import (
    bin_positions,
    quantize,
    sigmoid_noise,
    to_symmetric,
    uniform_dequantize,
)
from gm_jax.functional.dtypes import DTYPES
from gm_jax.functional.latents import truncated_normal
from gm_jax.functional.likelihoods import (
    gaussian_log_prob,
    importance_log_prob,
    nats_to_bits_per_dim,
    sum_per_example,
)
from gm_jax.labels import labels_of, labels_to_draw, num_labels, one_hot, refuse_condition
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
from gm_jax.nets.flows import Flow, ImageFlow, VectorFlow
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs
from gm_jax.sampling import FlowSampling

# Draws of the noise per image that log_prob computes at once: bounds memory, nothing else.
_SAMPLES_AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class RealNVP(Family):
    """Exact densities of points, bounds for images; exact latents and samples in one pass."""

    flow: Flow = VectorFlow()
    """Between data and latents."""
    dequantization: Literal["uniform", "variational"] = "uniform"
    """Noise that fills the bins of an image's levels (points have none)."""
    dequantizer: Flow = VectorFlow(couplings=2, hidden=(64,))
    """Of the noise, given the image (variational); starts as the identity: uniform noise."""
    alpha: float = 0.05
    """Margin of the logit at both ends of [0, 1]."""
    conditional: bool = False
    """Whether labels enter the networks: p(x|y), and samples by label."""
    sampling: FlowSampling = FlowSampling()
    """How images are drawn."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the networks compute in; parameters, maps and losses stay float32."""

    monitor: ClassVar[str] = "neg_log_prob"
    takes_points: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ConfigError(f"RealNVP.alpha must be in (0, 0.5), not {self.alpha}")
        if isinstance(self.dequantizer, ImageFlow) and self.dequantizer.halvings:
            raise ConfigError(
                "RealNVP.dequantizer.halvings must be 0: the noise stays beside its image, "
                f"not {self.dequantizer.halvings}"
            )

    def quick(self) -> "RealNVP":
        return dataclasses.replace(
            self, flow=self.flow.quick(), dequantizer=self.dequantizer.quick()
        )

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        """Of points, neg_log_prob is exact, but of a density: it may be negative."""
        if spec.continuous:
            return {"neg_log_prob": "exact"}
        return {"neg_log_prob": "bound", "bits_per_dim": "bound"}

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: images whose size does not fit the flow; data without labels for a
            conditional one.
        """
        self.flow.check(spec.shape)
        if self.conditional:
            num_labels("a conditional RealNVP", spec)
        x = jnp.zeros((1, *spec.shape))
        labels = jnp.zeros((1,), jnp.int32) if self.conditional else None
        flow, condition = self._flow(spec), self._one_hot(labels, spec)
        params = {"flow": flow.init(rngs("params/flow"), x, condition)["params"]}
        if self._dequantizes(spec):
            self.dequantizer.check(spec.shape)
            variables = self._dequantizer(spec).init(rngs("params/dequantizer"), x, x)
            params["dequantizer"] = variables["params"]
        return create_state(rngs, spec, params, self.optimizer)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        """One step; the first one begins by setting the flow's activation normalization.

        Every channel of this batch, dequantized with this step's noise, then enters each coupling
        with mean 0 and variance 1. It is a function of (state, batch, rngs) as all of the step is.
        """
        spec, key = state.spec, rngs("dequantization")
        if self.flow.actnorm:
            state = self._normalized_at_first(state, key, batch)

        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            loss = -self._log_weight(params, key, batch, spec).mean()
            metrics = {} if spec.continuous else {"bits_per_dim": self._bits(loss, spec)}
            return loss, (metrics, state.model_state)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """neg_log_prob in nats; for images also bits_per_dim: bounds from one draw of the noise."""
        nats = -self._log_weight(state.eval_params, rngs("dequantization"), batch, state.spec)
        figures = {"neg_log_prob": nats}
        if not state.spec.continuous:
            figures["bits_per_dim"] = self._bits(nats, state.spec)
        return figures

    def log_prob(self, state: TrainState, batch: Batch, rngs: Rngs, num_samples: int = 1) -> Array:
        """Nats, [B]: of points the log-density, exactly, whatever num_samples.

        Of images the importance-weighted bound over K = num_samples draws of the noise, which
        grows with K to log P(levels):

          log 1/K sum_k p(x_k) / (L^D q(u_k | levels)),    u_k ~ q
        """
        spec, key = state.spec, rngs("dequantization")
        if spec.continuous:
            return self._log_weight(state.eval_params, key, batch, spec)

        def log_weight(k: Array) -> Array:  # [B]
            return self._log_weight(state.eval_params, jax.random.fold_in(key, k), batch, spec)

        log_weights = jax.lax.map(
            log_weight, jnp.arange(num_samples), batch_size=min(_SAMPLES_AT_ONCE, num_samples)
        )  # [K, B]
        return importance_log_prob(log_weights)

    def supports(self, ability: str, spec: DataSpec) -> bool:
        """A density of points, labels left open, is there where no label enters the flow."""
        return ability != "log_density" or (spec.continuous and not self.conditional)

    def log_density(self, state: TrainState, points: Array) -> Array:
        """log p of points [N, H, W, C], nats, [N]; of a flow without labels."""
        batch = {"image": points}
        return self._log_weight(state.eval_params, jax.random.key(0), batch, state.spec)

    def sample(self, state: TrainState, rngs: Rngs, num: int, condition: Any = None) -> Array:
        """Images of draws from the prior: uint8 levels [num, H, W, C] (points: float32)."""
        return self.decode(state, self.draw_latents(state, rngs, num), condition)

    def draw_latents(self, state: TrainState, rngs: Rngs, num: int) -> Array:
        """z ~ N(0, temperature² I), float32 [num, K]; drawn anew beyond the truncation, if any."""
        spread, bound = self.sampling.temperature, self.sampling.truncation
        bound = None if bound is None else bound / spread
        return spread * truncated_normal(rngs("prior"), (num, state.spec.num_dims), bound)

    def encode(self, state: TrainState, batch: Batch) -> Array:
        """The latents [B, K] of the middle of each image's bins (of points: of themselves).

        Raises:
          UserError: a batch without labels to a conditional flow.
        """
        spec, image = state.spec, jnp.asarray(batch["image"])
        if spec.continuous:
            image = spec.standardized(image)
        else:
            image, _ = logit_forward(bin_positions(image, 0.5, spec.num_levels), self.alpha)
        return self._latents(state.eval_params, image, self._labels_of(batch), spec)[0]

    def decode(self, state: TrainState, z: Array, condition: Any = None) -> Array:
        """Images of latents [B, K]: uint8 levels [B, H, W, C] (points: float32).

        Args:
          state: of a trained model.
          z: latents.
          condition: labels [B] of a conditional flow (None: the classes in turn, 0, 1, 2, ...).

        Raises:
          UserError: a condition to an unconditional flow.
        """
        spec = state.spec
        if self.conditional:
            condition = labels_to_draw(condition, len(z), spec)
        else:
            refuse_condition("RealNVP", condition)
        y, _ = self._flow(spec).apply(
            {"params": state.eval_params["flow"]}, z, self._one_hot(condition, spec), inverse=True
        )
        if spec.continuous:
            return spec.restored(y)
        return quantize(logit_inverse(y, self.alpha)[0], spec.num_levels)

    def _flow(self, spec: DataSpec) -> Any:
        return self.flow.module(spec.shape, DTYPES[self.dtype])

    def _dequantizer(self, spec: DataSpec) -> Any:
        return self.dequantizer.module(spec.shape, DTYPES[self.dtype])

    def _dequantizes(self, spec: DataSpec) -> bool:
        """Whether there is a flow of the noise."""
        return self.dequantization == "variational" and not spec.continuous

    def _one_hot(self, labels: Any, spec: DataSpec) -> Array | None:
        """float32 [B, M], where there are labels."""
        return None if labels is None else one_hot(labels, spec)

    def _labels_of(self, batch: Batch) -> Array | None:
        """Labels [B] for a conditional flow, None for others."""
        return labels_of("RealNVP", batch) if self.conditional else None

    def _bits(self, nats: Array, spec: DataSpec) -> Array:
        return nats_to_bits_per_dim(nats, spec.num_dims)

    def _latents(
        self, params: Any, y: Array, labels: Array | None, spec: DataSpec
    ) -> tuple[Array, Array]:
        """z [B, K] of y [B, H, W, C] on the whole real line, and log |det dz/dy| [B]."""
        return self._flow(spec).apply({"params": params["flow"]}, y, self._one_hot(labels, spec))

    def _unbounded(
        self, params: Any, key: Array, image: Array, spec: DataSpec
    ) -> tuple[Array, Array]:
        """What enters the flow, y [B, H, W, C], and log |dy/d levels| - log q(u), nats [B].

        Of points log |dy/dx|, which is 0 unless they are standardized.
        """
        if spec.continuous:
            return spec.standardized(image), jnp.full(len(image), -spec.log_scale)
        x, log_q = self._dequantize(params, key, image, spec)
        y, log_det = logit_forward(x, self.alpha)
        return y, log_det - spec.num_dims * math.log(spec.num_levels) - log_q

    def _dequantize(
        self, params: Any, key: Array, image: Array, spec: DataSpec
    ) -> tuple[Array, Array]:
        """x = (levels + u) / L in [0, 1), [B, H, W, C], and log q(u | levels) in nats, [B]."""
        if not self._dequantizes(spec):
            return uniform_dequantize(key, image, spec.num_levels), jnp.zeros(len(image))
        # Logistic noise, so that its sigmoid is uniform as long as the flow is the identity.
        noise = jax.random.logistic(key, image.shape)
        log_base = jax.nn.log_sigmoid(noise) + jax.nn.log_sigmoid(-noise)
        moved, log_det = self._dequantizer(spec).apply(
            {"params": params["dequantizer"]}, noise, to_symmetric(image, spec.num_levels)
        )
        u, log_slope = sigmoid_noise(moved.reshape(image.shape))
        log_q = sum_per_example(log_base) - log_det - sum_per_example(log_slope)
        return bin_positions(image, u, spec.num_levels), log_q

    def _log_weight(self, params: Any, key: Array, batch: Batch, spec: DataSpec) -> Array:
        """log p(x) of points; log of one importance weight for P(levels) of images. Nats, [B]."""
        y, log_volume = self._unbounded(params, key, batch["image"], spec)
        z, log_det = self._latents(params, y, self._labels_of(batch), spec)
        log_pz = sum_per_example(gaussian_log_prob(z, jnp.zeros(()), jnp.zeros(())))
        return log_pz + log_det + log_volume

    def _normalized_at_first(self, state: TrainState, key: Array, batch: Batch) -> TrainState:
        """The state, at step 0 with activation normalization set from the batch."""
        spec = state.spec

        def fit(params: Any) -> Any:
            y, _ = self._unbounded(params, key, batch["image"], spec)
            condition = self._one_hot(self._labels_of(batch), spec)
            _, fitted = self._flow(spec).apply(
                {"params": params["flow"]}, y, condition, mutable=["params"]
            )
            # What was given stays: a fresh normalization is the identity, all zeros.
            flow = jax.tree.map(
                lambda new, old: jnp.where(jnp.any(old), old, new), fitted["params"], params["flow"]
            )
            return {**params, "flow": flow}

        params = jax.lax.cond(state.step == 0, fit, lambda params: params, state.params)
        if state.ema_params is None:
            return state.replace(params=params)
        averaged = jax.tree.map(
            lambda new, old: jnp.where(state.step == 0, new, old), params, state.ema_params
        )
        return state.replace(params=params, ema_params=averaged)
