"""U-Net with self-attention (Ronneberger et al. 2015, arXiv:1505.04597; Vaswani et al. 2017).

Two tasks, which the data decide. Sequences: the known frames are the channels of the input, their
times and the one wanted time modulate the features of every level, and each wanted time is a
pass of its own; so any time can be asked for, and no frame depends on what else is asked.
Images with others beside them (SEVIR: vis, ir069, ir107): those are translated into the image;
each joins the network at the level whose maps have its size.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.sequences.checks import extra_shape
from gm_jax.data.spec import DataSpec
from gm_jax.errors import ConfigError, UserError, check_positive
from gm_jax.functional.dequantization import from_unit
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.functional.pooling import max_pool
from gm_jax.model import Array, Batch, TrainState
from gm_jax.models.forecasting import Forecaster
from gm_jax.nets.attention import SelfAttention
from gm_jax.nets.conditions import ConditionEmbedding
from gm_jax.nets.conv import Conv, ConvTranspose
from gm_jax.nets.forecast_head import ForecastHead
from gm_jax.nets.initializers import Initializer, initial
from gm_jax.nets.norm import FrameNormName, frame_norm
from gm_jax.nets.time_embedding import FiLM, TimeEmbedding

_BACKBONE = "UNet_0"  # its parameters' name in every checkpoint
_NARROWER = 8  # heads share C / 8 channels, as SAGAN's do: 31.7 million parameters in all


@dataclasses.dataclass(frozen=True)
class UNetAttention(Forecaster):
    """Maps from a large one to a small one and back, attending where they are small."""

    loss: ForecastLoss = ForecastLoss(ssim=0.3, gradient=0.2, l1=0.2)
    """What is made small."""
    width: int = 64
    """Channels of the largest map; every halving doubles them."""
    depth: int = 4
    """Halvings."""
    attention_levels: int = 2
    """Of the smallest maps, how many have self-attention; all but the smallest have it on their
    skip."""
    num_heads: int = 4
    """Of each attention."""
    embedding_dim: int = 64
    """Size of the embedding of times."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "width", "num_heads", "embedding_dim")
        for field, most in (("depth", None), ("attention_levels", self.depth + 1)):
            value = getattr(self, field)
            if value < 0 or (most is not None and value > most):
                limit = "0 or more" if most is None else f"from 0 to {most}, the levels there are"
                raise ConfigError(f"UNetAttention.{field} must be {limit}, not {value}")
        for level in range(self.depth + 1 - self.attention_levels, self.depth + 1):
            features = self._attention_features(level)
            if features % self.num_heads:
                raise ConfigError(
                    f"UNetAttention.num_heads {self.num_heads} does not divide the {features} "
                    f"channels (an eighth) of the attention at level {level}"
                )

    def quick(self) -> "UNetAttention":
        return dataclasses.replace(
            self, width=4, depth=1, attention_levels=1, num_heads=1, embedding_dim=4
        )

    def _check_spec(self, spec: DataSpec) -> None:
        """Raises ConfigError where there is nothing to forecast or to translate from."""
        if spec.is_sequence:
            extra_shape(spec, "context")
            return
        if not spec.extras:
            raise ConfigError(
                "UNetAttention forecasts sequences or translates images that have others beside "
                "them, and these data are single images: choose another model or other data"
            )
        self._joins(spec)

    def supports(self, ability: str, spec: DataSpec) -> bool:
        if ability == "translate":
            return not spec.is_sequence
        return super().supports(ability, spec)

    def translate(self, state: TrainState, batch: Batch) -> Array:
        """The image that belongs to those beside it.

        Args:
          state: of a model trained on images.
          batch: with the extras of the data, uint8 [B, h, w, c] each.

        Returns:
          uint8 levels [B, H, W, C].

        Raises:
          UserError: a model of sequences.
        """
        if state.spec.is_sequence:
            raise UserError(
                "this UNetAttention was trained on sequences: it forecasts, and can't translate"
            )
        y = self._predicted(state, batch)
        return from_unit(y, state.spec.num_levels)

    def _module(self, spec: DataSpec) -> nn.Module:
        return UNetAttentionNet(self, spec)

    def _attention_features(self, level: int) -> int:
        """Of queries, keys and values at a level, 0 being the largest map."""
        return int(max(self.width * 2**level // _NARROWER, 1))

    def _joins(self, spec: DataSpec) -> dict[str, int]:
        """The level that each of the images beside the image joins at.

        Raises:
          ConfigError: there is none of its size, or nothing joins at the largest map.
        """
        height, width = spec.shape[:2]
        sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(self.depth + 1)]
        levels = {}
        for extra in spec.extras:
            size = tuple(extra.shape[:2])
            if len(extra.shape) != 3 or size not in sizes:
                have = "x".join(map(str, extra.shape))
                maps = ", ".join(f"{h}x{w}" for h, w in sizes)
                raise ConfigError(
                    f"UNetAttention has maps of {maps}, and {extra.name} of {have} fits none: "
                    "resize it, or set another depth"
                )
            levels[extra.name] = sizes.index(size)
        if 0 not in levels.values():
            raise ConfigError(
                f"UNetAttention translates from at least one image of the size {height}x{width} "
                f"that it makes, and {', '.join(levels)} are smaller: resize one"
            )
        return levels


class UNetAttentionNet(nn.Module):
    """The inputs of either task, on [0, 1], to [B, M, H, W, C] or [B, H, W, C]."""

    config: UNetAttention
    spec: DataSpec

    @nn.compact
    def __call__(self, inputs: Mapping[str, Array], train: bool) -> Array:
        config, dtype, channels = self.config, self.config._dtype, self.spec.shape[-1]
        joins: dict[int, list[Array]] = {}
        if not self.spec.is_sequence:
            for name, level in config._joins(self.spec).items():
                joins.setdefault(level, []).append(inputs[name].astype(dtype))
            h = UNetBackbone(config, name=_BACKBONE)(joins, None, train)
            start = initial(config.initializer, h.shape[-1])
            logits = Conv(channels, (1, 1), dtype=dtype, **start)(h).astype(jnp.float32)
            return jax.nn.sigmoid(logits)

        context, times = inputs["context"], inputs["time"]
        batch, _, height, width, _ = context.shape
        num_wanted = times.shape[1]
        frames = jnp.moveaxis(context, 1, 3).reshape(batch, height, width, -1)  # [B, H, W, N C]
        known = inputs["context_time"]
        # One wanted time each, beside all the known ones: [B M, N + 1].
        told = jnp.concatenate([_for_each(known, num_wanted), times.reshape(-1, 1)], 1)
        embedding = TimeEmbedding(config.embedding_dim, config.time_scale)(told)
        if conditions := self.spec.conditions:
            of_storm = ConditionEmbedding(conditions, config.embedding_dim)(inputs)
            embedding = embedding + _for_each(of_storm, num_wanted)
        joins = {0: [_for_each(frames.astype(dtype), num_wanted)]}
        h = UNetBackbone(config, name=_BACKBONE)(joins, embedding, train)
        last = _for_each(context[:, -1], num_wanted)
        tau = times.reshape(-1) / config.time_scale
        out = ForecastHead(channels, config.head, config.flow_steps, dtype)(h, last, tau)
        return out.reshape(batch, num_wanted, height, width, channels)


class UNetBackbone(nn.Module):
    """Maps that join at each level, and an embedding [B, E] or none, to [B, H, W, width]."""

    config: UNetAttention

    @nn.compact
    def __call__(
        self, joins: Mapping[int, list[Array]], embedding: Array | None, train: bool
    ) -> Array:
        config, dtype = self.config, self.config._dtype
        depth = config.depth

        def attended(h: Array, level: int) -> Array:
            if level <= depth - config.attention_levels:
                return h
            return SelfAttention(config.num_heads, dtype, config._attention_features(level))(h)

        def double(features: int) -> DoubleConv:
            return DoubleConv(features, config.norm, config.initializer, dtype)

        h: Array | None = None
        skips: list[Array] = []
        for level in range(depth + 1):
            parts = [] if h is None else [max_pool(h, 2)]
            parts += joins.get(level, [])
            joined = jnp.concatenate(parts, -1)
            h = double(config.width * 2**level)(joined, embedding, train)
            h_attended = attended(h, level)
            if level == depth:
                h = h_attended
            else:
                skips.append(h_attended)
        assert h is not None
        for level in reversed(range(depth)):
            features = config.width * 2**level
            height, width = skips[level].shape[1:3]
            # An odd map was halved upwards: what is doubled is cropped to it.
            start = initial(config.initializer, 2 * 2 * features)  # as PyTorch counts
            up = ConvTranspose(features, (2, 2), (2, 2), dtype=dtype, **start)(h)
            up = up[:, :height, :width]
            joined = jnp.concatenate([skips[level], up], -1)
            h = double(features)(joined, embedding, train)
        return h


class DoubleConv(nn.Module):
    """Twice a 3x3 convolution, normalization and ReLU; modulated in between."""

    features: int
    norm: FrameNormName
    initializer: Initializer
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, embedding: Array | None, train: bool) -> Array:
        for i in range(2):
            start = initial(self.initializer, 3 * 3 * x.shape[-1])
            x = Conv(self.features, (3, 3), dtype=self.dtype, **start)(x)
            x = frame_norm(self.norm, self.features, train, self.dtype)(x)
            if i == 0 and embedding is not None:
                x = FiLM(self.dtype)(x, embedding)
            x = nn.relu(x)
        return x


def _for_each(x: Array, num: int) -> Array:
    """[B, ...] -> [B num, ...], each example `num` times in a row."""
    return jnp.repeat(x, num, axis=0)
