"""Encoder, ConvLSTM and decoder (Shi et al. 2015, arXiv:1506.04214), told all times.

Every known frame is encoded and goes through stacked ConvLSTMs with the interval since the frame
before it; then their state is rolled out, one step a wanted time, with the interval since the time
before, and the time since the last known frame. Both modulate features. The encodings are those of
three reference systems: CNN-, CAE- and CAE-with-self-attention-ConvLSTM.

All of them normalize in groups, unless the references' norm over the batch is asked for: batches
of sequences are small, their frames are much alike, and a forecast must not depend on what other
storms are in the batch.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec, Extra
from gm_jax.errors import check_fraction, check_positive
from gm_jax.models.forecasting import Forecaster
from gm_jax.nets.attention import SaganAttention
from gm_jax.nets.conditions import ConditionEmbedding
from gm_jax.nets.conv import Conv, ConvTranspose
from gm_jax.nets.convlstm import StackedConvLSTM
from gm_jax.nets.forecast_head import ForecastHead
from gm_jax.nets.initializers import initial
from gm_jax.nets.norm import frame_norm
from gm_jax.nets.time_embedding import FiLM, TimeEmbedding

Array = jax.Array

# Attention runs on blocks of this side: at half the height and width of what comes in.
_ATTENTION_REDUCTION = 2


@dataclasses.dataclass(frozen=True)
class ConvLSTM(Forecaster):
    """Frames encoded one by one, remembered over time, and rolled out to the times wanted."""

    encoder: Literal["cnn", "cae", "cae_attention"] = "cae"
    """cnn: a 7x7 convolution with stride 2, and max-pooling. cae: two 3x3 with stride 2, and
    dropout. cae_attention: the same with SAGAN's self-attention between them. All of them leave a
    quarter of the height and width."""
    widths: tuple[int, int] = (32, 64)
    """Channels of the encoder's two convolutions (cnn has the second alone), and of the decoder's
    in reverse."""
    hidden: tuple[int, ...] = (128, 64)
    """Channels of each ConvLSTM."""
    kernel_size: int = 3
    """Side of the ConvLSTMs' kernels."""
    peepholes: bool = False
    """Whether the ConvLSTMs' gates see the cells (the image's size is fixed then)."""
    embedding_dim: int = 64
    """Size of the embedding of times."""
    dropout: float = 0.2
    """Probability of dropping a value after the encoder's convolutions (not cnn)."""
    unroll: bool = False
    """Write the loop over time out: longer to compile, and the same numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "widths", "hidden", "kernel_size", "embedding_dim")
        check_fraction(self, "dropout")

    def quick(self) -> "ConvLSTM":
        return dataclasses.replace(
            self, widths=(4, 4), hidden=(4,) * min(len(self.hidden), 2), embedding_dim=4
        )

    def _module(self, spec: DataSpec) -> nn.Module:
        return ConvLSTMNet(self, spec.shape[-1], spec.conditions)


class ConvLSTMNet(nn.Module):
    """{"context" [B, N, H, W, C], "context_time" [B, N], "time" [B, M]} -> [B, M, H, W, C]."""

    config: ConvLSTM
    channels: int
    conditions: tuple[Extra, ...] = ()

    @nn.compact
    def __call__(self, inputs: Mapping[str, Array], train: bool) -> Array:
        config, dtype = self.config, self.config._dtype
        context, times = inputs["context"], inputs["time"]
        batch, num_known, height, width, _ = context.shape
        num_wanted = times.shape[1]

        time = jnp.concatenate([inputs["context_time"], times], 1)  # [B, N + M]
        interval = jnp.diff(time, axis=1, prepend=time[:, :1])  # 0 for the first
        embedding = TimeEmbedding(config.embedding_dim, config.time_scale)(
            jnp.stack([interval, time], -1)
        )  # [B, N + M, E]
        if self.conditions:
            told = ConditionEmbedding(self.conditions, config.embedding_dim)(inputs)
            embedding = embedding + told[:, None]

        maps = Encoder(config)(_merged(context).astype(dtype), train)
        maps = maps.reshape(batch, num_known, *maps.shape[1:])  # [B, N, h, w, F]
        # There is no frame to see at the wanted times: the last one stays before the eyes.
        unseen = jnp.broadcast_to(maps[:, -1:], (batch, num_wanted, *maps.shape[2:]))
        h = FiLM(dtype)(jnp.concatenate([maps, unseen], 1), embedding)
        h = StackedConvLSTM(
            config.hidden,
            config.kernel_size,
            config.peepholes,
            config.unroll,
            dtype,
            config.initializer,
        )(h)
        h = FiLM(dtype)(h[:, num_known:], embedding[:, num_known:])

        h = Decoder(config)(_merged(h), train)[:, :height, :width]
        last = jnp.broadcast_to(context[:, -1:], (batch, num_wanted, *context.shape[2:]))
        tau = times.reshape(-1) / config.time_scale
        frames = ForecastHead(self.channels, config.head, config.flow_steps, dtype)(
            h, _merged(last), tau
        )
        return frames.reshape(batch, num_wanted, height, width, self.channels)


class Encoder(nn.Module):
    """Frames [B, H, W, C] -> [B, H / 4, W / 4, F], sizes rounded up."""

    config: ConvLSTM

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        config, dtype = self.config, self.config._dtype
        first, second = config.widths
        if config.encoder == "cnn":
            start = initial(config.initializer, 7 * 7 * x.shape[-1])
            x = Conv(second, (7, 7), (2, 2), dtype=dtype, **start)(x)
            x = nn.relu(frame_norm(config.norm, second, train, dtype)(x))
            return nn.max_pool(x, (3, 3), (2, 2), padding="SAME")
        for i, features in enumerate((first, second)):
            start = initial(config.initializer, 3 * 3 * x.shape[-1])
            x = Conv(features, (3, 3), (2, 2), dtype=dtype, **start)(x)
            x = nn.relu(frame_norm(config.norm, features, train, dtype)(x))
            x = nn.Dropout(config.dropout, deterministic=not train)(x)
            if config.encoder == "cae_attention" and i == 0:
                x = SaganAttention(dtype, _ATTENTION_REDUCTION)(x)
        return x


class Decoder(nn.Module):
    """[B, h, w, F] -> [B, 4 h, 4 w, F']."""

    config: ConvLSTM

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        config, dtype = self.config, self.config._dtype
        for features in reversed(config.widths):
            start = initial(config.initializer, 3 * 3 * features)  # as PyTorch counts
            x = ConvTranspose(features, (3, 3), (2, 2), dtype=dtype, **start)(x)
            x = nn.relu(frame_norm(config.norm, features, train, dtype)(x))
        return x


def _merged(x: Array) -> Array:
    """[B, T, ...] -> [B T, ...]."""
    return x.reshape(-1, *x.shape[2:])
