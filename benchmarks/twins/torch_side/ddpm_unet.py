"""mnist12/ddpm_unet: DDPM's simple loss, and a U-Net 12 -> 6 -> 3 of 64 channels."""

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.twins.torch_side.base import Tensors
from benchmarks.twins.torch_side.descent import Descent
from benchmarks.twins.torch_side.map_parameters import MapParameters

LEVELS, STEPS, OCTAVES = 16, 400, 4
CHANNELS, EMBEDDING, MAPS = 64, 256, 3


def linear_schedule(num_steps: int) -> np.ndarray:
    """ᾱ_0 .. ᾱ_T: Ho et al.'s 1000 steps, read off at num_steps of them."""
    log_alphas_bar = np.cumsum(np.log1p(-np.linspace(1e-4, 0.02, 1000)))
    log_alphas_bar = np.concatenate([[0.0], log_alphas_bar])
    return np.exp(np.interp(np.linspace(0, 1000, num_steps + 1), np.arange(1001), log_alphas_bar))


def conv(channels: int, features: int = CHANNELS, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, features, 3, stride, padding=1)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm1, self.conv1 = group_norm(channels), conv(channels)
        self.told = nn.Linear(EMBEDDING, CHANNELS)
        self.norm2, self.conv2 = group_norm(CHANNELS), conv(CHANNELS)
        self.shortcut = nn.Conv2d(channels, CHANNELS, 1) if channels != CHANNELS else nn.Identity()

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.told(embedding)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return self.shortcut(x) + h

    def load(self, ours: MapParameters, path: str, mirrored: bool) -> None:
        ours.norm(f"{path}/GroupNorm_0", self.norm1)
        ours.conv(f"{path}/Conv_0", self.conv1, mirrored)
        ours.dense(f"{path}/Dense_0", self.told)
        ours.norm(f"{path}/GroupNorm_1", self.norm2)
        ours.conv(f"{path}/Conv_1", self.conv2, mirrored)
        if isinstance(self.shortcut, nn.Conv2d):
            ours.pointwise(f"{path}/Dense_1", self.shortcut)


class Twin(Descent):
    mirrored = True
    decay_steps = 6_000
    ema_decay = 0.999

    def __init__(self, config: dict):
        super().__init__()
        alphas_bar = linear_schedule(STEPS)
        for name, values in {"signal": alphas_bar, "sigma": 1 - alphas_bar}.items():
            self.register_buffer(name, torch.tensor(np.sqrt(values), dtype=torch.float32))
        kept = alphas_bar[2] / alphas_bar[1]
        variance = (1 - kept) * (1 - alphas_bar[1]) / (1 - alphas_bar[2])  # β̃_2
        self.decoder_log_scale = nn.Parameter(torch.tensor(0.5 * math.log(variance)))

        self.embed1 = nn.Linear(CHANNELS, EMBEDDING)
        self.embed2 = nn.Linear(EMBEDDING, EMBEDDING)
        self.first = conv(1 + 2 * OCTAVES)
        self.down = nn.ModuleList(ResidualBlock(CHANNELS) for _ in range(MAPS))
        self.halving = nn.ModuleList(conv(CHANNELS, stride=2) for _ in range(MAPS - 1))
        self.middle = nn.ModuleList(ResidualBlock(CHANNELS) for _ in range(2))
        self.up = nn.ModuleList(ResidualBlock(2 * CHANNELS) for _ in range(2 * MAPS))
        self.doubling = nn.ModuleList(conv(CHANNELS) for _ in range(MAPS - 1))
        self.norm, self.last = group_norm(CHANNELS), conv(CHANNELS, 1)
        self.to(memory_format=torch.channels_last)
        self.optimize_by(torch.optim.Adamax(self.parameters(), lr=2e-3, foreach=True))

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        ours = MapParameters(params)
        ours.copy("decoder_log_scale", self.decoder_log_scale)
        ours.dense("network/StepEmbedding_0/Dense_0", self.embed1)
        ours.dense("network/StepEmbedding_0/Dense_1", self.embed2)
        for i, conv in enumerate([self.first, *self.halving, *self.doubling, self.last]):
            ours.conv(f"network/Conv_{i}", conv, self.mirrored)
        for i, block in enumerate([*self.down, *self.middle, *self.up]):
            block.load(ours, f"network/ResidualBlock_{i}", self.mirrored)
        ours.norm("network/GroupNorm_0", self.norm)
        ours.finish()

    def draw(self, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
        image, style = batch["image"], {"generator": generator, "device": batch["image"].device}
        return {
            "timestep": torch.randint(1, STEPS + 1, image.shape[:1], **style),
            "noise": torch.randn(image.shape, **style),
        }

    def losses(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        levels = batch["image"].permute(0, 3, 1, 2)
        t, epsilon = noise["timestep"].long(), noise["noise"].permute(0, 3, 1, 2)
        x0 = 2 * (levels.float() / (LEVELS - 1)) - 1
        signal, sigma = self.signal[t][:, None, None, None], self.sigma[t][:, None, None, None]
        xt = signal * x0 + sigma * epsilon
        output = self.network(with_waves(xt), t * (1000 / STEPS))
        error = (output - epsilon).square().flatten(1).mean(1)
        # The scale of the decoder learns from the examples at its step; nothing else does.
        x0_hat = ((xt - sigma * output) / signal).detach().clamp(-1, 1)
        decoder = -self.decoder_log_prob(levels, x0_hat).flatten(1).mean(1)
        decoder = torch.where(t == 1, decoder, 0.0)
        return {
            "loss": (error + decoder - decoder.detach()).mean(),
            "mse": error.detach().mean(),
        }

    def network(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        embedding = self.embed2(F.silu(self.embed1(sinusoids(t, CHANNELS))))
        embedding = F.silu(embedding)
        h = self.first(x)
        skips = [h]
        for i, block in enumerate(self.down):
            h = block(h, embedding)
            skips.append(h)
            if i < MAPS - 1:
                h = self.halving[i](h)
                skips.append(h)
        for block in self.middle:
            h = block(h, embedding)
        for i, block in enumerate(self.up):
            h = block(torch.cat([h, skips.pop()], 1), embedding)
            if i % 2 and i // 2 < MAPS - 1:
                h = self.doubling[i // 2](F.interpolate(h, scale_factor=2, mode="nearest"))
        return self.last(F.silu(self.norm(h)))

    def decoder_log_prob(self, levels: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Log of the mass that a Gaussian around `mean` puts on the bins of the levels."""
        inverse = torch.exp(-self.decoder_log_scale.clamp(-7, 3))
        middle, half = 2 * levels.float() / (LEVELS - 1) - 1 - mean, 1 / (LEVELS - 1)
        lower, upper = (middle - half) * inverse, (middle + half) * inverse
        # Mirrored above the mean: log Φ has all its digits in the lower tail only.
        mirrored = upper + lower > 0
        below_a = torch.special.log_ndtr(torch.where(mirrored, -lower, upper))
        below_b = torch.special.log_ndtr(torch.where(mirrored, -upper, lower))
        inner = below_a + torch.log(-torch.expm1(below_b - below_a))
        first, last = torch.special.log_ndtr(upper), torch.special.log_ndtr(-lower)
        return torch.where(levels == 0, first, torch.where(levels == LEVELS - 1, last, inner))


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(32, channels // 4), channels, eps=1e-6)


def sinusoids(t: torch.Tensor, num: int) -> torch.Tensor:
    half = num // 2
    powers = torch.arange(half, device=t.device) / (half - 1)
    angles = t.float()[:, None] * torch.exp(-math.log(10_000) * powers)
    return torch.cat([angles.sin(), angles.cos()], 1)


def with_waves(x: torch.Tensor) -> torch.Tensor:
    """Behind x, sines and cosines with periods of one level, two, four and eight."""
    in_levels = (x + 1) * (0.5 * (LEVELS - 1))
    phases = torch.cat([in_levels * (2 * math.pi / 2**k) for k in range(OCTAVES)], 1)
    return torch.cat([x, phases.sin(), phases.cos()], 1)
