"""mnist12/arm_pixelcnn: a PixelCNN of five masked residual blocks of 128 channels."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from benchmarks.twins.torch_side.base import Tensors
from benchmarks.twins.torch_side.descent import Descent
from benchmarks.twins.torch_side.masked import MaskedConv2d, raster_losses
from benchmarks.twins.torch_side.parameters import Parameters

LEVELS, CHANNELS, BLOCKS = 16, 128, 5


class MaskedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        inner = CHANNELS // 2
        self.narrow = nn.Conv2d(CHANNELS, inner, 1)
        self.masked = MaskedConv2d(inner, inner, (3, 3))
        self.widen = nn.Conv2d(inner, CHANNELS, 1)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        inner = self.masked(self.narrow(h.relu()).relu())
        return h + self.widen(inner.relu())


class Twin(Descent):
    decay_steps = 24_000
    ema_decay = 0.998

    def __init__(self, config: dict):
        super().__init__()
        self.first = MaskedConv2d(1, CHANNELS, (11, 11), sees_itself=False)
        self.blocks = nn.ModuleList(MaskedBlock() for _ in range(BLOCKS))
        self.out1, self.out2 = (nn.Conv2d(CHANNELS, CHANNELS, 1) for _ in range(2))
        self.logits = nn.Conv2d(CHANNELS, LEVELS, 1)
        self.to(memory_format=torch.channels_last)
        self.optimize_by(torch.optim.Adamax(self.parameters(), lr=1e-3, foreach=True))

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        ours = Parameters(params)
        layers = [layer for b in self.blocks for layer in (b.narrow, b.masked, b.widen)]
        ours.conv("first", self.first)
        for i, layer in enumerate([*layers, self.out1, self.out2, self.logits]):
            ours.conv(f"MaskedConv_{i}", layer)
        ours.finish()

    def draw(self, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {}

    def losses(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        levels = batch["image"]
        h = self.first(2 * (levels.permute(0, 3, 1, 2).float() / (LEVELS - 1)) - 1)
        for block in self.blocks:
            h = block(h)
        h = self.out2(self.out1(h.relu()).relu())
        return raster_losses(self.logits(h.relu()).permute(0, 2, 3, 1), levels)
