"""What the families that forecast share: the batch they learn from, the loss, the figures.

A batch of sequences has the wanted frames as "image" uint8 [B, M, H, W, C], those known as
"context" uint8 [B, N, H, W, C], and the times of both, "time" [B, M] and "context_time" [B, N], in
seconds after the last known frame. The forecast is deterministic: one image for each time.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax.numpy as jnp

from gm_jax.data.sequences.checks import extra_shape, known_names
from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError, check_positive
from gm_jax.functional.dequantization import from_unit, to_unit
from gm_jax.functional.dtypes import DTYPES
from gm_jax.functional.forecast_losses import Features, ForecastLoss, l2_loss
from gm_jax.metrics.frames import frame_figures
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
from gm_jax.nets.forecast_head import HeadName
from gm_jax.nets.initializers import Initializer
from gm_jax.nets.norm import FrameNormName
from gm_jax.optimizer import Optimizer
from gm_jax.rng import Rngs


@dataclasses.dataclass(frozen=True)
class Forecaster(Family):
    """Frames at given times, from frames at known ones.

    A perceptual loss needs features: derive a family whose `features` gives the function.
    """

    loss: ForecastLoss = ForecastLoss()
    """What is made small."""
    time_scale: float = 3600.0
    """Seconds that count as 1 inside the network: of the order of the intervals of the data."""
    head: HeadName = "persistence"
    """persistence: the last frame moved along a learned flow, plus a residual that grows with time;
    exactly the last frame before any training. blend: moved along, with new content over it by a
    learned mask. frame: made from features alone."""
    flow_steps: int = 1
    """In which the flow is followed (not frame): 2 or 3 bend it as in a fast rotation."""
    optimizer: Optimizer = Optimizer()
    """How the parameters move."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type the networks compute in; parameters and losses stay float32."""
    norm: FrameNormName = "group"
    """Of the maps: in groups, each frame by itself; or over the batch, with running statistics
    where it does not learn."""
    initializer: Initializer = "lecun_normal"
    """How the kernels that make, remember and undo the maps start."""

    monitor: ClassVar[str] = "mse"
    takes_sequences: ClassVar[bool] = True
    own_parts: ClassVar[tuple[str, ...]] = ("features",)

    def __post_init__(self) -> None:
        check_positive(self, "time_scale", "flow_steps")
        if self.norm == "batch" and self.optimizer.ema_decay is not None:
            raise ConfigError(
                f"{type(self).__name__}.norm batch has statistics of the parameters as they are, "
                "not of their average: leave optimizer.ema_decay out, or set norm to group"
            )
        self.loss.check_features(self.features)

    @property
    def features(self) -> Features | None:
        """From images [N, H, W, C] on [0, 1] to feature maps, for the perceptual loss."""
        return None

    def figure_kinds(self, spec: DataSpec) -> dict[str, FigureKind]:
        return {"loss": "error"}

    def supports(self, ability: str, spec: DataSpec) -> bool:
        return ability != "forecast" or spec.is_sequence

    def init(self, rngs: Rngs, spec: DataSpec) -> TrainState:
        """A fresh state.

        Raises:
          ConfigError: data that the family cannot take.
        """
        self._check_spec(spec)
        inputs = {e.name: jnp.zeros((1, *e.shape), e.dtype) for e in spec.extras}
        module = self._module(spec)
        variables = module.init(rngs("params/network"), self._inputs(inputs, spec), train=False)
        params = variables.pop("params")
        return create_state(rngs, spec, params, self.optimizer, variables)

    def update(self, state: TrainState, batch: Batch, rngs: Rngs) -> tuple[TrainState, Metrics]:
        spec = state.spec
        target, seen = to_unit(batch["image"], spec.num_levels), spec.seen(batch["image"])

        def loss_fn(params: Any) -> tuple[Array, tuple[Metrics, Any]]:
            prediction, moved = self._predict(
                params, state.model_state, spec, batch, rngs("dropout")
            )
            error = ((prediction - target) ** 2).mean()
            if seen is not None:
                error = l2_loss(prediction, target, seen).mean()
            loss = self.loss(prediction, target, self.features, seen).mean()
            return loss, ({"mse": error}, moved)

        return gradient_update(state, loss_fn, self.optimizer)

    def evaluate(self, state: TrainState, batch: Batch, rngs: Rngs) -> dict[str, Array]:
        """loss as trained; mse, mae, psnr (dB) and ssim clipped to [0, 1], means over frames.

        Sequences also have them for each frame, in the order of the times: mse_t1, mse_t2, ...
        Images smaller than SSIM's window of 11 pixels have no ssim. Where data have a level for
        what was not seen, that does not count; a figure of nothing at all is NaN.
        """
        spec = state.spec
        target, seen = to_unit(batch["image"], spec.num_levels), spec.seen(batch["image"])
        prediction = self._predicted(state, batch)
        figures = {"loss": self.loss(prediction, target, self.features, seen)}
        by_frame = frame_figures(jnp.clip(prediction, 0.0, 1.0), target, seen)  # [B, M] each
        mean = jnp.mean if seen is None else jnp.nanmean
        figures |= {name: mean(values, 1) for name, values in by_frame.items()}
        if seen is not None:
            figures["loss"] = jnp.where(jnp.isnan(figures["mse"]), jnp.nan, figures["loss"])
        if spec.is_sequence:
            for name, values in by_frame.items():
                figures |= {f"{name}_t{i + 1}": v for i, v in enumerate(values.T)}
        return figures

    def forecast(
        self, state: TrainState, rngs: Rngs, context: Mapping[str, Array], times: Array
    ) -> Array:
        """Frames at any times, of which there may be more or fewer than in training.

        Args:
          state: of a trained model.
          rngs: not used, a forecast has no chance in it.
          context: "context" uint8 [B, N, H, W, C] and "context_time" float32 [B, N], seconds that
            end in 0; and what the data have as conditions.
          times: seconds after the last known frame, greater than 0 and increasing, float32
            [B, M']; `check_forecast` looks at them where they are known.

        Returns:
          uint8 levels [B, M', H, W, C].

        Raises:
          UserError: a model of images.
        """
        if not state.spec.is_sequence:
            raise UserError(
                f"this {type(self).__name__} was trained on single images, not on sequences: it "
                "can't forecast"
            )
        y = self._predicted(state, {**context, "time": times})
        return from_unit(y, state.spec.num_levels)

    def _check_spec(self, spec: DataSpec) -> None:
        """Raises ConfigError where the family cannot take data like these."""
        if not spec.is_sequence:
            raise ConfigError(
                f"{type(self).__name__} forecasts sequences, and these data are single images: "
                "choose another model or other data"
            )
        extra_shape(spec, "context")

    def _module(self, spec: DataSpec) -> nn.Module:
        """(inputs, train) -> what is predicted, float32, about on [0, 1]; levels are clipped."""
        raise NotImplementedError

    def _inputs(self, batch: Mapping[str, Array], spec: DataSpec) -> dict[str, Array]:
        """What the network sees: images on [0, 1], and times."""
        names = ["time", *known_names(spec)]
        if not spec.is_sequence:
            names = [e.name for e in spec.extras]
        values = {name: jnp.asarray(batch[name]) for name in names}
        return {
            name: to_unit(v, spec.num_levels) if v.dtype == jnp.uint8 else v.astype(jnp.float32)
            for name, v in values.items()
        }

    def _predicted(self, state: TrainState, batch: Mapping[str, Array]) -> Array:
        """What a trained model makes: [B, M', H, W, C] (images: [B, H, W, C])."""
        return self._predict(state.eval_params, state.model_state, state.spec, batch, None)[0]

    def _predict(
        self,
        params: Any,
        model_state: Any,
        spec: DataSpec,
        batch: Mapping[str, Array],
        dropout_key: Array | None,
    ) -> tuple[Array, Any]:
        """What is made, and the model_state after it; training with a key."""
        module, inputs = self._module(spec), self._inputs(batch, spec)
        variables = {"params": params, **model_state}
        if dropout_key is None:
            return jnp.asarray(module.apply(variables, inputs, train=False)), model_state
        prediction, moved = module.apply(
            variables,
            inputs,
            train=True,
            rngs={"dropout": dropout_key},
            mutable=list(model_state),
        )
        return jnp.asarray(prediction), moved

    @property
    def _dtype(self) -> Any:
        return DTYPES[self.dtype]
