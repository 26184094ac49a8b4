"""The moving average of a network's parameters and statistics."""

import torch


class Average:
    """As ours: the rate after t updates is the larger of 1 - decay and 9 / (10 + t)."""

    def __init__(self, network, decay):
        """Where the network lies, and as it is: make it after it was loaded."""
        self.decay, self.updates = decay, 0
        self.live = [*network.parameters()]
        self.live += [b for b in network.buffers() if b.is_floating_point()]
        self.averaged = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self):
        rate = max(1.0 - self.decay, 9.0 / (10.0 + self.updates))
        torch._foreach_lerp_(self.averaged, self.live, rate)
        self.updates += 1
