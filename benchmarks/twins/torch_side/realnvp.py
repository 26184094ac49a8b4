"""RealNVP: 12 couplings on halves of 144 values, and 2 that learn the noise in the bins."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.twins.torch_side.base import Tensors
from benchmarks.twins.torch_side.descent import Descent
from benchmarks.twins.torch_side.parameters import Parameters

ALPHA = 0.05
MAX_NOISE = 1.0 - 2.0**-16


def network(inputs, hidden, outputs):
    layers = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Coupling(nn.Module):
    """The first half stays, and moves the second; then a flip."""

    def __init__(self, half, told, hidden, separate, limit):
        super().__init__()
        self.limit, self.separate = limit, separate
        if separate:
            self.networks = nn.ModuleList(
                [network(half + told, hidden, half), network(half + told, hidden, half)]
            )
        else:
            self.networks = nn.ModuleList([network(half + told, hidden, 2 * half)])

    def forward(self, x, condition):
        first, second = x.chunk(2, dim=1)
        told = first if condition is None else torch.cat([first, condition], dim=1)
        if self.separate:
            raw, shift = (net(told) for net in self.networks)
        else:
            raw, shift = self.networks[0](told).chunk(2, dim=1)
        log_scale = self.limit * torch.tanh(raw / self.limit)
        moved = second * log_scale.exp() + shift
        return torch.cat([first, moved], dim=1).flip(1), log_scale.sum(1)


class Flow(nn.Module):
    def __init__(self, couplings, half, told, hidden, separate, limit):
        super().__init__()
        self.couplings = nn.ModuleList(
            [Coupling(half, told, hidden, separate, limit) for _ in range(couplings)]
        )

    def forward(self, x, condition=None):
        log_det = x.new_zeros(len(x))
        for coupling in self.couplings:
            x, change = coupling(x, condition)
            log_det = log_det + change
        return x, log_det


class Twin(Descent):
    decay_steps = 60_000
    ema_decay = 0.999

    def __init__(self, config):
        super().__init__()
        self.num_levels = config["num_levels"]
        self.num_dims = math.prod(config["shape"])
        half = self.num_dims // 2
        self.flow = Flow(12, half, 0, (256, 256), separate=True, limit=1.0)
        self.dequantizer = Flow(2, half, self.num_dims, (256,), separate=False, limit=2.0)
        # There is no fused Adamax: foreach is the fastest that PyTorch has.
        self.optimize_by(torch.optim.Adamax(self.parameters(), lr=1e-3, foreach=True))

    def load(self, params):
        ours = Parameters(params)
        for name in ("flow", "dequantizer"):
            for i, coupling in enumerate(getattr(self, name).couplings):
                for j, net in enumerate(coupling.networks):
                    # Flips lie between the couplings.
                    path = f"{name}/chain/layers_{2 * i}/ScaleAndShift_0/DenseConditioner_{j}"
                    *hidden, last = (m for m in net if isinstance(m, nn.Linear))
                    for k, layer in enumerate(hidden):
                        ours.dense(f"{path}/MLP_0/Dense_{k}", layer)
                    ours.dense(f"{path}/Dense_0", last)
        ours.finish()

    def draw(self, batch, generator):
        image = batch["image"]
        uniform = torch.rand(image.shape, generator=generator, device=image.device)
        return {"dequantization": torch.logit(uniform, eps=1e-7)}  # logistic

    def losses(self, batch: Tensors, noise: Tensors):
        levels = batch["image"].flatten(1).float()
        noise = noise["dequantization"].flatten(1)
        log_base = (F.logsigmoid(noise) + F.logsigmoid(-noise)).sum(1)
        moved, log_det = self.dequantizer(noise, 2.0 * (levels / (self.num_levels - 1)) - 1.0)
        log_slope = F.logsigmoid(moved) + F.logsigmoid(-moved) + math.log(MAX_NOISE)
        log_q = log_base - log_det - log_slope.sum(1)
        x = (levels + MAX_NOISE * torch.sigmoid(moved)) / self.num_levels

        p = ALPHA + (1.0 - 2.0 * ALPHA) * x
        log_p, log_not_p = torch.log(p), torch.log1p(-p)
        log_volume = (math.log1p(-2.0 * ALPHA) - log_p - log_not_p).sum(1)
        z, log_det = self.flow(log_p - log_not_p)
        log_pz = -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
        log_bins = self.num_dims * math.log(self.num_levels)
        return {"loss": -(log_pz + log_det + log_volume - log_bins - log_q).mean()}
