"""What a twin is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

Tensors = Mapping[str, torch.Tensor]


class TwinBase(nn.Module):
    """One system, written as a good user of PyTorch would.

    `batch` holds what ours does: "image" uint8 levels [B, H, W, C], and so on. One-network twins
    set `self.optimizer` and give `load`, `losses` and `draw`.

    Attributes:
      mirrored: whether the twin sees maps with rows and columns in reverse. XLA's SAME padding of
        an even map before a stride of 2 puts the odd row behind, PyTorch's `padding=1` before: they
        are the same layer of mirrored maps. The check mirrors images and noise [B, H, W, C];
        training need not.
    """

    mirrored = False
    optimizer: torch.optim.Optimizer

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        """Copies ours in; raises unless every parameter of ours is used exactly once."""
        raise NotImplementedError

    def losses(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        """By the names of ours."""
        raise NotImplementedError

    def draw(self, batch: Tensors, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Noise for a step, on the batch's device."""
        raise NotImplementedError

    def train_step(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        """One full step as ours; the losses it returns are on the device still."""
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.losses(batch, noise)
        losses["loss"].backward()
        self.optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def use_compile(self, **options: Any) -> None:
        """What can be is compiled from the next call on."""
        self.losses = torch.compile(self.losses, **options)  # type: ignore[method-assign]


def draw_latents(batch: Tensors, dim: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Of two players, one normal z [B, dim] for the turn of each."""
    num, device = len(batch["image"]), batch["image"].device
    players = ("discriminator", "generator")
    return {p: torch.randn(num, dim, generator=generator, device=device) for p in players}


def flip_maps(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Images and noise [B, H, W, C], and frames [B, T, H, W, C], mirrored; the rest as it is."""
    return {
        name: np.ascontiguousarray(a[..., ::-1, ::-1, :]) if a.ndim >= 4 else a
        for name, a in arrays.items()
    }
