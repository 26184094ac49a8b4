"""What both VAEs share: the negative ELBO of a Gaussian of scale √½, and Adam at 4e-4."""

import math

import torch
from torch.nn import functional as F

from benchmarks.twins.torch_side.base import Tensors, TwinBase

LATENT = 4
VARIANCE = 0.5
MAX_NOISE = 1.0 - 2.0**-16  # ours: 255 + u must stay below 256 in float32


class VAE(TwinBase):
    """`encode` maps x [B, 1, H, W] to [B, 2 LATENT], `decode` z [B, LATENT] to [B, 1, H, W]."""

    def __init__(self, config):
        super().__init__()
        self.shape, self.num_levels = config["shape"], config["num_levels"]

    def set_up(self):
        self.optimizer = torch.optim.Adam(self.parameters(), lr=4e-4, fused=True)

    def draw(self, batch, generator):
        image = batch["image"]
        device = image.device
        return {
            "reparameterization": torch.randn(
                len(image), LATENT, generator=generator, device=device
            ),
            "dequantization": torch.rand(image.shape, generator=generator, device=device),
        }

    def losses(self, batch: Tensors, noise: Tensors):
        # [B, H, W, 1] to [B, 1, H, W]: a view, and channels-last already.
        image = batch["image"].permute(0, 3, 1, 2).float()
        uniform = noise["dequantization"].permute(0, 3, 1, 2).clamp(max=MAX_NOISE)
        target = (image + uniform) / self.num_levels

        code = self.encode(image / (self.num_levels - 1)).view(-1, LATENT, 2)
        mean, log_scale = code[..., 0], (0.5 * code[..., 1]).clamp(-10.0, 10.0)
        z = mean + log_scale.exp() * noise["reparameterization"]

        constant = 0.5 * math.log(2 * math.pi * VARIANCE) + math.log(self.num_levels)
        squared = F.mse_loss(self.decode(z), target, reduction="sum") / len(image)
        reconstruction = squared / (2 * VARIANCE) + math.prod(self.shape) * constant
        kl = 0.5 * (torch.exp(2 * log_scale) + mean**2 - 1) - log_scale
        return {"loss": reconstruction + kl.sum(1).mean()}
