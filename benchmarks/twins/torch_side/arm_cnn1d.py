"""mnist12/arm_cnn1d: dilated causal convolutions over the 144 values of an image."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.twins.torch_side.base import Tensors
from benchmarks.twins.torch_side.descent import Descent
from benchmarks.twins.torch_side.map_parameters import MapParameters
from benchmarks.twins.torch_side.masked import raster_losses

LEVELS, CHANNELS, TAPS = 16, 256, 11
DILATIONS = (1, 2, 4, 8, 16)


class Twin(Descent):
    decay_steps = 6_000
    ema_decay = 0.998

    def __init__(self, config: dict):
        super().__init__()
        self.first = nn.Conv1d(1, CHANNELS, 1)
        features = [CHANNELS] * (len(DILATIONS) - 1) + [LEVELS]
        self.causal = nn.ModuleList(
            nn.Conv1d(CHANNELS, n, TAPS, dilation=d)
            for n, d in zip(features, DILATIONS, strict=True)
        )
        self.optimize_by(torch.optim.Adamax(self.parameters(), lr=1e-3, foreach=True))

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        ours = MapParameters(params)
        ours.pointwise("Dense_0", self.first)
        for i, layer in enumerate(self.causal):
            ours.conv(f"CausalConv_{i}", layer)
        ours.finish()

    def draw(self, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {}

    def losses(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        levels = batch["image"].flatten(1)  # [B, D]
        x = 2 * (levels.float() / (LEVELS - 1)) - 1
        h = self.first(F.pad(x[:, None, :-1], (1, 0)))
        for conv, dilation in zip(self.causal, DILATIONS, strict=True):
            h = F.leaky_relu(h, 0.01)
            h = conv(F.pad(h, ((TAPS - 1) * dilation, 0)))
        return raster_losses(h.transpose(1, 2), levels)
