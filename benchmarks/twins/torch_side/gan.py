"""WGAN-GP with dense networks: 32-128-128-144 against 144-128-128-1 with layer norm."""

import torch
from torch import nn

from benchmarks.twins.torch_side.base import Tensors, TwinBase, draw_latents
from benchmarks.twins.torch_side.parameters import Parameters

LATENT = 32
PENALTY = 10.0
DISCRIMINATOR_STEPS = 5


class Twin(TwinBase):
    def __init__(self, config):
        super().__init__()
        self.num_levels = config["num_levels"]
        pixels = config["shape"][0] * config["shape"][1]
        self.generator = nn.Sequential(
            nn.Linear(LATENT, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, pixels),
            nn.Sigmoid(),
        )
        self.discriminator = nn.Sequential(
            nn.Linear(pixels, 128),
            nn.LayerNorm(128, eps=1e-5),
            nn.LeakyReLU(0.1),
            nn.Linear(128, 128),
            nn.LayerNorm(128, eps=1e-5),
            nn.LeakyReLU(0.1),
            nn.Linear(128, 1),
        )
        self.optimizers = {p: adamw(getattr(self, p)) for p in ("generator", "discriminator")}
        self.steps = 0
        self.generate = self.generator

    def load(self, params):
        ours = Parameters(params)
        for player in ("generator", "discriminator"):
            layers = getattr(self, player)
            for i, layer in enumerate(m for m in layers if isinstance(m, nn.Linear)):
                ours.dense(f"{player}/Dense_{i}", layer)
            for i, layer in enumerate(m for m in layers if isinstance(m, nn.LayerNorm)):
                ours.norm(f"{player}/Norm_{i}/LayerNorm_0", layer)
        ours.finish()

    def draw(self, batch, generator):
        num, device = len(batch["image"]), batch["image"].device
        return {
            **draw_latents(batch, LATENT, generator),
            "interpolation": torch.rand(num, 1, 1, 1, generator=generator, device=device),
        }

    def losses(self, batch: Tensors, noise: Tensors):
        """The discriminator's, and the generator's by the same fakes."""
        real = batch["image"].flatten(1).float() / (self.num_levels - 1)
        with torch.no_grad():
            fake = self.generate(noise["discriminator"])
        real_logits = self.discriminator(real)
        fake_logits = self.discriminator(fake)
        share = noise["interpolation"].flatten(1)
        between = torch.lerp(fake, real, share).requires_grad_()
        slope = torch.autograd.grad(self.discriminator(between).sum(), between, create_graph=True)[
            0
        ]
        norm = torch.sqrt(slope.square().sum(1) + 1e-12)
        penalty = (norm - 1).square().mean()
        return {
            "discriminator_loss": fake_logits.mean() - real_logits.mean() + PENALTY * penalty,
            "generator_loss": -fake_logits.detach().mean(),
        }

    def train_step(self, batch: Tensors, noise: Tensors):
        losses = self.losses(batch, noise)
        self.optimizers["discriminator"].zero_grad(set_to_none=True)
        losses["discriminator_loss"].backward()
        self.optimizers["discriminator"].step()
        self.steps += 1
        if self.steps % DISCRIMINATOR_STEPS == 0:
            self.discriminator.requires_grad_(False)
            self.optimizers["generator"].zero_grad(set_to_none=True)
            losses["generator_loss"] = -self.discriminator(self.generate(noise["generator"])).mean()
            losses["generator_loss"].backward()
            self.optimizers["generator"].step()
            self.discriminator.requires_grad_(True)
        return {name: loss.detach() for name, loss in losses.items()}

    def use_compile(self, **options):
        # The penalty differentiates the discriminator twice, which torch.compile does not support.
        self.generate = torch.compile(self.generator, **options)


def adamw(network):
    """Decay of kernels only, as ours."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim < 2]
    groups = [{"params": kernels, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.5, 0.9), fused=True)
