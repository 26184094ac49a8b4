"""Convolutions 16, 32 (stride 2), 16 and a dense layer of 512 to z 4, and back."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.twins.torch_side.parameters import Parameters
from benchmarks.twins.torch_side.vae import LATENT, VAE


class Twin(VAE):
    mirrored = True

    def __init__(self, config):
        super().__init__(config)
        self.size = (self.shape[0] // 2, self.shape[1] // 2)
        flat = 16 * self.size[0] * self.size[1]
        self.down = nn.ModuleList(
            [
                nn.Conv2d(1, 16, 3, padding=1),
                nn.Conv2d(16, 32, 3, stride=2, padding=1),
                nn.Conv2d(32, 16, 3, padding=1),
            ]
        )
        self.code = nn.ModuleList([nn.Linear(flat, 512), nn.Linear(512, 2 * LATENT)])
        self.grow = nn.ModuleList([nn.Linear(LATENT, 512), nn.Linear(512, flat)])
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(16, 32, 3, padding=1),
                nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
                nn.ConvTranspose2d(16, 16, 3, padding=1),
            ]
        )
        self.output = nn.Conv2d(16, 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)
        self.set_up()

    def load(self, params):
        ours = Parameters(params)
        for i, layer in enumerate(self.down):
            ours.conv(f"encoder/Conv_{i}", layer, mirrored=True)
        ours.dense_of_maps("encoder/MLP_0/Dense_0", self.code[0], self.size)
        ours.dense("encoder/Dense_0", self.code[1])
        ours.dense("decoder/MLP_0/Dense_0", self.grow[0])
        ours.dense_to_maps("decoder/MLP_0/Dense_1", self.grow[1], self.size)
        for i, layer in enumerate(self.up):
            ours.conv_transpose(f"decoder/ConvTranspose_{i}", layer, mirrored=True)
        ours.conv("decoder/Conv_0", self.output, mirrored=True)
        ours.finish()

    def encode(self, x):
        for layer in self.down:
            x = F.relu(layer(x))
        # Flattened as [H, W, C], which copies nothing of channels-last maps.
        x = F.relu(self.code[0](x.permute(0, 2, 3, 1).flatten(1)))
        return self.code[1](x)

    def decode(self, z):
        x = F.relu(self.grow[1](F.relu(self.grow[0](z))))
        x = x.view(len(z), *self.size, 16).permute(0, 3, 1, 2)
        for layer in self.up:
            x = F.relu(layer(x))
        return self.output(x)
