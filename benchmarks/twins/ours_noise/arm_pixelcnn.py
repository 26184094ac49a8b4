"""As every autoregressive model here draws."""

from benchmarks.twins.ours_noise.arm_cnn1d import noise

__all__ = ["noise"]
