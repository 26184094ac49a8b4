"""moving_mnist/convlstm: ten frames encoded, remembered by two ConvLSTMs, and ten rolled out."""

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.twins.systems import SECONDS_A_FRAME
from benchmarks.twins.torch_side.base import Tensors
from benchmarks.twins.torch_side.descent import Descent
from benchmarks.twins.torch_side.map_parameters import MapParameters

LEVELS, EMBEDDING = 256, 64
TIME_SCALE = 5 * SECONDS_A_FRAME
WIDTHS, HIDDEN = (16, 32), (64, 64)


class TimeEmbedding(nn.Module):
    """Intervals and times [..., 2] in seconds to [..., EMBEDDING]."""

    def __init__(self):
        super().__init__()
        periods = 2.0 * 32.0 ** (torch.arange(6) / 5)
        self.register_buffer("frequencies", 2 * math.pi / periods)
        self.dense1 = nn.Linear(2 * (2 + 2 * len(periods)), EMBEDDING)
        self.dense2 = nn.Linear(EMBEDDING, EMBEDDING)

    def forward(self, seconds: torch.Tensor) -> torch.Tensor:
        tau = seconds[..., None] / TIME_SCALE
        angles = tau * self.frequencies
        log = tau.sign() * tau.abs().log1p()
        told = torch.cat([tau, log, angles.sin(), angles.cos()], -1).flatten(-2)
        return F.silu(self.dense2(F.silu(self.dense1(told))))


class FiLM(nn.Module):
    """(1 + γ) x + β by an embedding."""

    def __init__(self, channels: int):
        super().__init__()
        self.dense = nn.Linear(EMBEDDING, 2 * channels)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        gamma, beta = self.dense(embedding)[..., None, None].chunk(2, 1)
        return (1 + gamma) * x + beta


class ConvLSTM(nn.Module):
    """Maps of `num` sequences, in order of time; what x does is one convolution of all."""

    def __init__(self, channels: int, features: int):
        super().__init__()
        self.features = features
        self.input = nn.Conv2d(channels, 4 * features, 3, padding=1)
        self.recurrent = nn.Conv2d(features, 4 * features, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor, num: int) -> torch.Tensor:
        drives = self.input(x).split(num)
        h = c = torch.zeros_like(drives[0][:, : self.features])
        outputs = []
        for drive in drives:
            i, f, o, candidate = (drive + self.recurrent(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * candidate.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.cat(outputs)


class Twin(Descent):
    mirrored = True
    warmup_steps, decay_steps = 100, 1_000
    clip_norm = 1.0

    def __init__(self, config: dict):
        super().__init__()
        narrow, wide = WIDTHS
        self.time = TimeEmbedding()
        self.encode = nn.ModuleList(
            nn.Conv2d(c, f, 3, 2, padding=1) for c, f in ((1, narrow), (narrow, wide))
        )
        self.encoded = nn.ModuleList([group_norm(narrow), group_norm(wide)])
        self.film_in, self.film_out = FiLM(wide), FiLM(HIDDEN[-1])
        channels = (wide, *HIDDEN[:-1])
        self.lstm = nn.ModuleList(ConvLSTM(c, f) for c, f in zip(channels, HIDDEN, strict=True))
        self.decode = nn.ModuleList(
            nn.ConvTranspose2d(c, f, 3, 2, padding=1, output_padding=1)
            for c, f in ((HIDDEN[-1], wide), (wide, narrow))
        )
        self.decoded = nn.ModuleList([group_norm(wide), group_norm(narrow)])
        self.head = nn.Conv2d(narrow, 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)
        self.optimize_by(torch.optim.Adam(self.parameters(), lr=2e-3, fused=True))

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        ours = MapParameters(params)
        ours.dense("TimeEmbedding_0/Dense_0", self.time.dense1)
        ours.dense("TimeEmbedding_0/Dense_1", self.time.dense2)
        ours.dense("FiLM_0/Dense_0", self.film_in.dense)
        ours.dense("FiLM_1/Dense_0", self.film_out.dense)
        for i, layer in enumerate(self.lstm):
            path = f"StackedConvLSTM_0/ConvLSTM_{i}"
            ours.conv(f"{path}/input", layer.input, self.mirrored)
            ours.kernel(f"{path}/recurrent", layer.recurrent, self.mirrored)
        for i in range(2):
            ours.conv(f"Encoder_0/Conv_{i}", self.encode[i], self.mirrored)
            ours.norm(f"Encoder_0/GroupNorm_{i}", self.encoded[i])
            ours.conv_transpose(f"Decoder_0/ConvTranspose_{i}", self.decode[i], self.mirrored)
            ours.norm(f"Decoder_0/GroupNorm_{i}", self.decoded[i])
        ours.conv("ForecastHead_0/Conv_0", self.head, self.mirrored)
        ours.finish()

    def draw(self, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {}

    def losses(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        target = by_time(batch["image"])
        frame = self.forecast(by_time(batch["context"]), batch["context_time"], batch["time"])
        inside = 1e-4 + (1 - 2e-4) * frame
        loss = F.binary_cross_entropy(inside, target)
        return {"loss": loss, "mse": F.mse_loss(frame.detach(), target)}

    def forecast(
        self, context: torch.Tensor, context_time: torch.Tensor, times: torch.Tensor
    ) -> torch.Tensor:
        """Frames [M B, 1, H, W] at `times` [B, M], from known ones [N B, 1, H, W]."""
        num = len(times)
        time = torch.cat([context_time, times], 1)
        interval = time.diff(dim=1, prepend=time[:, :1])
        embedding = self.time(torch.stack([interval, time], -1).transpose(0, 1)).flatten(0, 1)

        h = context
        for conv, norm in zip(self.encode, self.encoded, strict=True):
            h = norm(conv(h)).relu()
        unseen = h[-num:].repeat(times.shape[1], 1, 1, 1)
        known = len(h)
        h = self.film_in(torch.cat([h, unseen]), embedding)
        for layer in self.lstm:
            h = layer(h, num)
        h = self.film_out(h[known:], embedding[known:])
        for conv, norm in zip(self.decode, self.decoded, strict=True):
            h = norm(conv(h)).relu()
        return self.head(h).sigmoid()


def by_time(levels: torch.Tensor) -> torch.Tensor:
    """uint8 [B, T, H, W, C] to channels-last [T B, C, H, W] on [0, 1], in order of time.

    So the maps of one time lie together: to take them out and to join them copies nothing.
    """
    frames = levels.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2)
    return frames.float() / (LEVELS - 1)


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(32, channels // 4), channels, eps=1e-6)
