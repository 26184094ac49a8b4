"""784-64-64-z4 and back."""

from torch import nn

from benchmarks.twins.torch_side.parameters import Parameters
from benchmarks.twins.torch_side.vae import LATENT, VAE


class Twin(VAE):
    def __init__(self, config):
        super().__init__(config)
        height, width, channels = self.shape
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(height * width * channels, 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, 2 * LATENT),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, height * width * channels),
            nn.Unflatten(1, (channels, height, width)),
        )
        self.set_up()

    def load(self, params):
        ours = Parameters(params)
        for name in ("encoder", "decoder"):
            layers = [m for m in getattr(self, name) if isinstance(m, nn.Linear)]
            for i, layer in enumerate(layers):
                ours.dense(f"{name}/MLP_0/Dense_{i}", layer)
        ours.finish()

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)
