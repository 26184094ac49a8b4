"""SimVP (Gao et al. 2022, arXiv:2206.05099), told all times: convolutions alone, no recurrence.

Every known frame is encoded by itself; the maps of all of them, stacked, go through a translator of
large-kernel attention once, and every wanted frame is decoded from what comes out. SimVP's output
channels are its fixed grid of wanted frames. Here they are K maps, and each wanted time mixes them
with weights, for each channel, that an embedding of the time gives:

  h_t = Σ_k a_k(t) ∘ F_k

which is SimVP where a_k(t) picks the frame. So any times may be asked for, and what one more costs
is a decoder's pass.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.data.spec import DataSpec, Extra
from gm_jax.errors import ConfigError, check_positive
from gm_jax.models.forecasting import Forecaster
from gm_jax.nets.conditions import ConditionEmbedding
from gm_jax.nets.conv import Conv
from gm_jax.nets.forecast_head import ForecastHead
from gm_jax.nets.initializers import Initializer, initial
from gm_jax.nets.time_embedding import FiLM, TimeEmbedding
from gm_jax.nets.translator import BlockName, TranslatorBlock

Array = jax.Array

_GROUPS = 2  # of the encoder's and decoder's normalization


@dataclasses.dataclass(frozen=True)
class SimVP(Forecaster):
    """Frames encoded one by one, translated together, and decoded one by one."""

    width: int = 64
    """Channels of each frame's maps (hid_S in the paper); even."""
    depth: int = 4
    """Convolutions of the encoder, and of the decoder (N_S); every second halves the size, or
    doubles it."""
    patch: int = 1
    """Side of the squares of pixels that are one place to the encoder and the decoder: 2 or 4 where
    maps as large as the frames cost too much."""
    hidden: int = 256
    """Channels of the translator (hid_T)."""
    num_blocks: int = 8
    """Of the translator (N_T)."""
    block: BlockName = "gsta"
    """gsta: gated spatiotemporal attention (SimVPv2). tau: temporal attention unit."""
    mlp_ratio: int = 8
    """Channels inside a block's MLP, in units of the translator's."""
    num_maps: int = 10
    """K, of which each wanted frame is mixed; SimVP has as many as wanted frames."""
    embedding_dim: int = 64
    """Size of the embedding of times."""
    remat: bool = False
    """Compute maps again for the gradient rather than keep them: a third slower, less memory, the
    same numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "width", "depth", "hidden", "num_blocks", "mlp_ratio")
        check_positive(self, "patch", "num_maps", "embedding_dim")
        if self.width % _GROUPS:
            raise ConfigError(f"SimVP.width must be even (there are 2 groups), not {self.width}")

    def quick(self) -> "SimVP":
        return dataclasses.replace(
            self,
            width=4,
            depth=2,
            hidden=8,
            num_blocks=1,
            mlp_ratio=1,
            num_maps=2,
            embedding_dim=4,
        )

    def _module(self, spec: DataSpec) -> nn.Module:
        return SimVPNet(self, spec.shape[-1], spec.conditions)


class SimVPNet(nn.Module):
    """{"context" [B, N, H, W, C], "context_time" [B, N], "time" [B, M]} -> [B, M, H, W, C]."""

    config: SimVP
    channels: int
    conditions: tuple[Extra, ...] = ()

    @nn.compact
    def __call__(self, inputs: Mapping[str, Array], train: bool) -> Array:
        config, dtype = self.config, self.config._dtype
        context, known, times = inputs["context"], inputs["context_time"], inputs["time"]
        batch, num_known, height, width, _ = context.shape
        num_wanted = times.shape[1]

        patches = _space_to_depth(_merged(context).astype(dtype), config.patch)
        maps, skip, sizes = Encoder(config, name="encoder")(patches)
        maps = maps.reshape(batch, num_known, *maps.shape[1:])  # [B, N, h, w, S]
        interval = jnp.diff(known, axis=1, prepend=known[:, :1])  # 0 for the first
        seen = TimeEmbedding(config.embedding_dim, config.time_scale, name="known_times")(
            jnp.stack([interval, known], -1)
        )  # [B, N, E]
        if self.conditions:
            told = ConditionEmbedding(self.conditions, config.embedding_dim)(inputs)
            seen += told[:, None]
        maps = FiLM(dtype)(maps, seen)

        stacked = jnp.moveaxis(maps, 1, 3).reshape(batch, *maps.shape[2:4], -1)  # [B, h, w, N S]
        translated = Translator(config, name="translator")(stacked, train)  # [B, h, w, K, S]
        wanted = TimeEmbedding(config.embedding_dim, config.time_scale, name="wanted_times")(
            times[..., None]
        )  # [B, M, E]
        shares = nn.DenseGeneral((config.num_maps, config.width), dtype=dtype, name="mix")(wanted)
        h = jnp.einsum("bhwks,bmks->bmhws", translated, shares)

        last_skip = skip.reshape(batch, num_known, *skip.shape[1:])[:, -1]
        h = Decoder(config, name="decoder")(
            _merged(h), _for_each(last_skip, num_wanted), _merged(wanted), sizes
        )
        if config.patch > 1:
            features = max(config.width // config.patch, 1)
            start = initial(config.initializer, h.shape[-1])
            h = nn.Dense(config.patch**2 * features, dtype=dtype, name="pixels", **start)(h)
            h = _depth_to_space(h, config.patch)[:, :height, :width]
        last = _for_each(context[:, -1], num_wanted)
        tau = times.reshape(-1) / config.time_scale
        head = ForecastHead(self.channels, config.head, config.flow_steps, dtype, name="head")
        return head(h, last, tau).reshape(batch, num_wanted, height, width, self.channels)


class Encoder(nn.Module):
    """Frames [B, H, W, C] -> maps [B, h, w, S], the first layer's [B, H, W, S], sizes by layer."""

    config: SimVP

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array, list[tuple[int, int]]]:
        skip, sizes = x, []
        for i in range(self.config.depth):
            sizes.append((x.shape[1], x.shape[2]))
            x = _unit(self.config, "down" if i % 2 else "same", f"layer_{i}")(x, None)
            if i == 0:
                skip = x
        return x, skip, sizes


class Translator(nn.Module):
    """Maps of all known frames [B, h, w, N S] -> maps to be mixed [B, h, w, K, S].

    As in SimVPv2 the first block sees the frames' channels as they are, and 1x1 convolutions stand
    after the first and the last.
    """

    config: SimVP

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        config, dtype = self.config, self.config._dtype
        block_class: Any = TranslatorBlock
        if config.remat:
            block_class = nn.remat(TranslatorBlock, static_argnums=(2,))
        style = (config.block, config.mlp_ratio, config.norm, config.initializer, dtype)
        for i in range(config.num_blocks):
            x = block_class(*style, name=f"block_{i}")(x, train)
            if i == 0 and x.shape[-1] != config.hidden:
                start = initial(config.initializer, x.shape[-1])
                x = nn.Dense(config.hidden, dtype=dtype, name="narrow", **start)(x)
        start = initial(config.initializer, x.shape[-1])
        x = nn.Dense(config.num_maps * config.width, dtype=dtype, name="maps", **start)(x)
        return x.reshape(*x.shape[:-1], config.num_maps, config.width)


class Decoder(nn.Module):
    """h [B, h, w, S], a skip [B, H, W, S] and an embedding [B, E] -> [B, H, W, S]."""

    config: SimVP

    @nn.compact
    def __call__(
        self, h: Array, skip: Array, embedding: Array, sizes: list[tuple[int, int]]
    ) -> Array:
        for i in reversed(range(self.config.depth)):
            if i == 0:
                h = h + skip
            unit = _unit(self.config, "up" if i % 2 else "same", f"layer_{i}")
            h = unit(h, embedding if i == self.config.depth - 1 else None)
            rows, columns = sizes[i]  # an odd map was halved upwards
            h = h[:, :rows, :columns]
        return h


class ConvUnit(nn.Module):
    """A 3x3 convolution, normalization in two groups and SiLU; modulated in between, if told.

    Going up it makes four channels of each, which become 2x2 places (Shi et al. 2016,
    arXiv:1609.05158).
    """

    features: int
    step: str
    initializer: Initializer
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, embedding: Array | None) -> Array:
        strides, times = (2, 2) if self.step == "down" else (1, 1), 4 if self.step == "up" else 1
        start = initial(self.initializer, 3 * 3 * x.shape[-1])
        x = Conv(times * self.features, (3, 3), strides, dtype=self.dtype, **start)(x)
        if self.step == "up":
            x = _depth_to_space(x, 2)
        x = nn.GroupNorm(_GROUPS, dtype=self.dtype)(x)
        if embedding is not None:
            x = FiLM(self.dtype)(x, embedding)
        return nn.silu(x)


def _unit(config: SimVP, step: str, name: str) -> nn.Module:
    unit: Any = nn.remat(ConvUnit) if config.remat else ConvUnit
    made: nn.Module = unit(config.width, step, config.initializer, config._dtype, name=name)
    return made


def _depth_to_space(x: Array, r: int) -> Array:
    """[B, H, W, r² C] -> [B, r H, r W, C]."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, r, r, channels // r**2)
    return jnp.swapaxes(x, 2, 3).reshape(batch, r * height, r * width, channels // r**2)


def _space_to_depth(x: Array, r: int) -> Array:
    """[B, H, W, C] -> [B, H / r, W / r, r² C], sizes rounded up: the last pixels stand again."""
    height, width = (-(-n // r) for n in x.shape[1:3])
    more = [(0, r * n - old) for n, old in zip((height, width), x.shape[1:3], strict=True)]
    x = jnp.pad(x, ((0, 0), *more, (0, 0)), mode="edge")
    x = x.reshape(x.shape[0], height, r, width, r, x.shape[-1])
    return jnp.swapaxes(x, 2, 3).reshape(x.shape[0], height, width, -1)


def _merged(x: Array) -> Array:
    """[B, T, ...] -> [B T, ...]."""
    return x.reshape(-1, *x.shape[2:])


def _for_each(x: Array, num: int) -> Array:
    """[B, ...] -> [B num, ...], each example `num` times in a row."""
    return jnp.repeat(x, num, axis=0)
