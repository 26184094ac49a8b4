"""mnist/pixelcnn: a gated PixelCNN of 32 channels, with a vertical and a horizontal stack."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from benchmarks.twins.torch_side.base import Tensors
from benchmarks.twins.torch_side.descent import Descent
from benchmarks.twins.torch_side.map_parameters import MapParameters
from benchmarks.twins.torch_side.masked import MaskedConv2d, RowConv2d, raster_losses

LEVELS, CHANNELS = 256, 32
DILATIONS = (1, 2, 1, 4, 1, 2, 1)


class GatedBlock(nn.Module):
    def __init__(self, dilation: int):
        super().__init__()
        width = 2 * CHANNELS
        self.vertical = RowConv2d(CHANNELS, width, (2, 3), dilation)
        self.told_by_rows = nn.Conv2d(width, width, 1)
        self.horizontal = MaskedConv2d(CHANNELS, width, (1, 3), dilation)
        self.out = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, v: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.vertical(v)
        both = self.horizontal(h) + self.told_by_rows(rows)
        return v + gate(rows), h + self.out(gate(both))


class Twin(Descent):
    warmup_steps, decay_steps = 100, 8_000
    ema_decay = 0.999

    def __init__(self, config: dict):
        super().__init__()
        self.first_vertical = RowConv2d(1, CHANNELS, (3, 7), strict=True)
        self.first_horizontal = MaskedConv2d(1, CHANNELS, (1, 7), sees_itself=False)
        self.blocks = nn.ModuleList(GatedBlock(d) for d in DILATIONS)
        self.logits = nn.Conv2d(CHANNELS, LEVELS, 1)
        self.to(memory_format=torch.channels_last)
        self.optimize_by(torch.optim.Adam(self.parameters(), lr=3e-3, fused=True))

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        ours = MapParameters(params)
        ours.conv("vertical/first", self.first_vertical)
        ours.conv("horizontal/first", self.first_horizontal)
        for i, block in enumerate(self.blocks):
            ours.conv(f"vertical/RowConv_{i}", block.vertical)
            ours.pointwise(f"vertical/to_horizontal_{i}", block.told_by_rows)
            ours.conv(f"horizontal/MaskedConv_{2 * i}", block.horizontal)
            ours.conv(f"horizontal/MaskedConv_{2 * i + 1}", block.out)
        ours.conv(f"horizontal/MaskedConv_{2 * len(self.blocks)}", self.logits)
        ours.finish()

    def draw(self, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {}

    def losses(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        levels = batch["image"]
        x = 2 * (levels.permute(0, 3, 1, 2).float() / (LEVELS - 1)) - 1
        v, h = self.first_vertical(x), self.first_horizontal(x)
        for block in self.blocks:
            v, h = block(v, h)
        return raster_losses(self.logits(h.relu()).permute(0, 2, 3, 1), levels)


def gate(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, 1)
    return a.tanh() * b.sigmoid()
