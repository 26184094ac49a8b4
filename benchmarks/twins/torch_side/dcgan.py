"""DCGAN on 28 pixels: 7x7x256, 7x7x128, 14x14x64, 28x28x1 against 64, 64, 128, 256."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.twins.torch_side.average import Average
from benchmarks.twins.torch_side.base import Tensors, TwinBase, draw_latents
from benchmarks.twins.torch_side.parameters import Parameters

LATENT = 100


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(LATENT, 7 * 7 * 256, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(n) for n in (256, 128, 64)])
        self.plain = nn.Conv2d(256, 128, 3, padding=1, bias=False)
        self.up = nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False)
        self.output = nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1)

    def forward(self, z):
        x = self.dense(z).view(-1, 7, 7, 256).permute(0, 3, 1, 2)
        x = F.relu(self.norms[0](x))
        x = F.relu(self.norms[1](self.plain(x)))
        x = F.relu(self.norms[2](self.up(x)))
        return torch.tanh(self.output(x))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(1, 64, 4, stride=2, padding=1),
                nn.Conv2d(64, 64, 4, stride=2, padding=1, bias=False),
                # 7x7 to 4x4: ours pads 1 before and 2 behind.
                nn.Conv2d(64, 128, 4, stride=2, padding=2, bias=False),
                nn.Conv2d(128, 256, 4, stride=2, padding=1, bias=False),
            ]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(n) for n in (64, 128, 256)])
        self.output = nn.Linear(2 * 2 * 256, 1)

    def forward(self, x):
        x = F.leaky_relu(self.convs[0](x), 0.2)
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), 0.2)
        return self.output(x.permute(0, 2, 3, 1).flatten(1))[:, 0]


class Twin(TwinBase):
    mirrored = True

    def __init__(self, config):
        super().__init__()
        self.num_levels = config["num_levels"]
        self.generator, self.discriminator = Generator(), Discriminator()
        self.to(memory_format=torch.channels_last)
        self.optimizers = {
            player: torch.optim.Adam(
                getattr(self, player).parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True
            )
            for player in ("generator", "discriminator")
        }
        self.average = None
        self.generate, self.discriminate = self.generator, self.discriminator

    def load(self, params):
        ours = Parameters(params)
        generator, discriminator = self.generator, self.discriminator
        ours.dense_to_maps("generator/Dense_0", generator.dense, (7, 7))
        ours.conv("generator/Conv_0", generator.plain, mirrored=True)
        ours.conv_transpose("generator/ConvTranspose_0", generator.up, mirrored=True)
        ours.conv_transpose("generator/ConvTranspose_1", generator.output, mirrored=True)
        for i, norm in enumerate(generator.norms):
            ours.norm(f"generator/Norm_{i}/BatchNorm_0", norm)
        for i, conv in enumerate(discriminator.convs):
            ours.conv(f"discriminator/Conv_{i}", conv, mirrored=True)
        for i, norm in enumerate(discriminator.norms, start=1):
            ours.norm(f"discriminator/Norm_{i}/BatchNorm_0", norm)
        ours.dense_of_maps("discriminator/Dense_0", discriminator.output, (2, 2))
        ours.finish()

    def draw(self, batch, generator):
        return draw_latents(batch, LATENT, generator)

    def losses(self, batch: Tensors, noise: Tensors):
        """The discriminator's: -log σ(D(x)) - log(1 - σ(D(G(z))))."""
        image = batch["image"].permute(0, 3, 1, 2).float()
        real = 2.0 * (image / (self.num_levels - 1)) - 1.0
        with torch.no_grad():
            fake = self.generate(noise["discriminator"])
        real_logits, fake_logits = self.discriminate(real), self.discriminate(fake)
        loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        return {"discriminator_loss": loss}

    def train_step(self, batch: Tensors, noise: Tensors):
        if self.average is None:  # of the parameters as they were loaded and placed
            self.average = Average(self.generator, 0.999)
        self.optimizers["discriminator"].zero_grad(set_to_none=True)
        losses = self.losses(batch, noise)
        losses["discriminator_loss"].backward()
        self.optimizers["discriminator"].step()

        self.discriminator.requires_grad_(False)
        self.optimizers["generator"].zero_grad(set_to_none=True)
        logits = self.discriminate(self.generate(noise["generator"]))
        losses["generator_loss"] = F.softplus(-logits).mean()
        losses["generator_loss"].backward()
        self.optimizers["generator"].step()
        self.discriminator.requires_grad_(True)
        self.average.update()
        return {name: loss.detach() for name, loss in losses.items()}

    def use_compile(self, **options):
        self.generate = torch.compile(self.generator, **options)
        self.discriminate = torch.compile(self.discriminator, **options)
