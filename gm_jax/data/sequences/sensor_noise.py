"""The noise of a camera that sees line by line."""

from collections.abc import Sequence

import numpy as np

_LINES = 0.2  # of the variance, the same along a line


def sensor_noise(
    frames: np.ndarray, std: float, draws: Sequence[np.random.Generator]
) -> np.ndarray:
    """Frames with Gaussian noise, a fifth of its variance the same along each row.

    Args:
      frames: uint8 levels [n, H, W, C].
      std: standard deviation in levels; what lies beyond 0 and 255 is cut off.
      draws: a generator for each frame.

    Returns:
      uint8 levels [n, H, W, C].
    """
    if not std:
        return frames
    out = np.empty_like(frames)
    alone, along = np.float32(std * (1 - _LINES) ** 0.5), np.float32(std * _LINES**0.5)
    for k, (frame, draw) in enumerate(zip(frames, draws, strict=True)):
        noisy = frame + alone * draw.standard_normal(frame.shape, np.float32)
        noisy += along * draw.standard_normal((len(frame), 1, 1), np.float32)
        out[k] = np.clip(np.rint(noisy), 0, 255)
    return out
