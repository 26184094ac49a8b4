"""A twin whose step also limits the gradient, follows a schedule, or keeps a moving average."""

import math
from typing import ClassVar

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.twins.torch_side.average import Average
from benchmarks.twins.torch_side.base import Tensors, TwinBase


class Descent(TwinBase):
    """A derived twin calls `optimize_by` at the end of its `__init__`.

    Attributes:
      warmup_steps: steps over which the rate grows from 0.
      decay_steps: step at which it has reached 0, along a cosine.
      clip_norm: largest global norm of the gradient.
      ema_decay: of the moving average of the parameters.
    """

    warmup_steps: ClassVar[int] = 0
    decay_steps: ClassVar[int]
    clip_norm: ClassVar[float | None] = None
    ema_decay: ClassVar[float | None] = None

    def optimize_by(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.schedule = LambdaLR(optimizer, self._rate)
        self.average: Average | None = None

    def train_step(self, batch: Tensors, noise: Tensors) -> dict[str, torch.Tensor]:
        if self.ema_decay is not None and self.average is None:
            # Of the parameters as they were loaded and placed; constants have no average.
            self.average = Average(nn.ParameterList(self.parameters()), self.ema_decay)
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.losses(batch, noise)
        losses["loss"].backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.clip_norm, foreach=True)
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update()
        return {name: loss.detach() for name, loss in losses.items()}

    def _rate(self, step: int) -> float:
        """As a share of its peak."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        done = (step - self.warmup_steps) / (self.decay_steps - self.warmup_steps)
        return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
