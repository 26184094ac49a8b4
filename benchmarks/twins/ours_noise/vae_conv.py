"""As every VAE draws."""

from benchmarks.twins.ours_noise.vae_mlp import noise

__all__ = ["noise"]
