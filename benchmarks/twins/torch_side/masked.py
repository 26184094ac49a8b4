"""Convolutions of an image that see what comes before a pixel in raster order.

Kernels have all their taps, as ours; the rows and columns that are masked whole are cut off before
the convolution rather than multiplied by 0, which costs PyTorch less.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class MaskedConv2d(nn.Conv2d):
    """The rows above a pixel, what is left of it, and with `sees_itself` the pixel."""

    def __init__(
        self,
        channels: int,
        features: int,
        kernel_size: tuple[int, int],
        dilation: int = 1,
        sees_itself: bool = True,
    ):
        super().__init__(channels, features, kernel_size, dilation=dilation)
        self.up, self.left = kernel_size[0] // 2, kernel_size[1] // 2
        self.right = self.left if self.up else 0  # the row of the pixel itself ends with it
        mask = torch.ones(self.up + 1, self.left + 1 + self.right)
        mask[-1, self.left + sees_itself :] = 0
        self.register_buffer("mask", mask)
        self.is_masked = bool((mask == 0).any())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight[:, :, : self.up + 1, : self.left + 1 + self.right]
        if self.is_masked:
            weight = weight * self.mask
        (d, _) = self.dilation
        x = F.pad(x, (self.left * d, self.right * d, self.up * d, 0))
        return F.conv2d(x, weight, self.bias, dilation=self.dilation)


class RowConv2d(nn.Conv2d):
    """Whole rows that end with the pixel's own, or with the one above where it is `strict`."""

    def __init__(
        self,
        channels: int,
        features: int,
        kernel_size: tuple[int, int],
        dilation: int = 1,
        strict: bool = False,
    ):
        super().__init__(channels, features, kernel_size, dilation=dilation)
        rows, columns = kernel_size
        self.side, self.above = columns // 2 * dilation, (rows - 1) * dilation + strict
        self.below = -1 if strict else 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, (self.side, self.side, self.above, self.below))
        return F.conv2d(x, self.weight, self.bias, dilation=self.dilation)


def raster_losses(logits: torch.Tensor, levels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Exact losses by logits [B, ..., L] of levels [B, ...]: nats of an image, and bits a value."""
    nats = F.cross_entropy(logits.flatten(0, -2), levels.flatten().long(), reduction="sum")
    nats = nats / len(levels)
    return {"loss": nats, "bits_per_dim": nats.detach() / (levels[0].numel() * math.log(2))}
