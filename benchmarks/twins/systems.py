"""The systems that have a twin, and random batches of theirs. Both sides import this."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

SECONDS_A_FRAME = 1800.0


@dataclasses.dataclass(frozen=True)
class System:
    """One experiment and its twin.

    Attributes:
      experiment: its name.
      torch: module below `torch_side/` (of the same name: one below `ours_noise/`).
      batch: examples a step; the experiment's own.
      shape: of one image, [H, W, C]; of the wanted frames of a sequence, [M, H, W, C].
      num_levels: values of a pixel are 0 .. num_levels - 1.
      num_classes: of the labels.
      overrides: fields of the experiment that both sides leave out; a comment says why.
      extras: shape and dtype of further arrays of an example. uint8 ones are levels, float32 ones
        times: frames half an hour apart, those named context* up to now, others from now on.
    """

    experiment: str
    torch: str
    batch: int
    shape: tuple[int, ...]
    num_levels: int = 256
    num_classes: int | None = 10
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    extras: Mapping[str, tuple[tuple[int, ...], str]] = dataclasses.field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """What a twin is made of, beside the literals in its module."""
        return {
            "shape": self.shape,
            "num_levels": self.num_levels,
            "num_classes": self.num_classes,
            "extras": dict(self.extras),
        }


SYSTEMS: dict[str, System] = {
    "vae_mlp": System("mnist/vae_mlp", "vae_mlp", 200, (28, 28, 1)),
    "vae_conv": System("mnist/vae_conv", "vae_conv", 200, (28, 28, 1)),
    "gan": System("mnist12/gan", "gan", 128, (12, 12, 1), 16),
    "dcgan": System("mnist/dcgan", "dcgan", 64, (28, 28, 1)),
    "realnvp": System("mnist12/realnvp", "realnvp", 64, (12, 12, 1), 16),
    "ddpm_unet": System("mnist12/ddpm_unet", "ddpm_unet", 64, (12, 12, 1), 16),
    "pixelcnn": System("mnist/pixelcnn", "pixelcnn", 16, (28, 28, 1)),
    "arm_pixelcnn": System("mnist12/arm_pixelcnn", "arm_pixelcnn", 16, (12, 12, 1), 16),
    "convlstm": System(
        "moving_mnist/convlstm",
        "convlstm",
        8,
        (10, 64, 64, 1),
        num_classes=None,
        # Its frames are a second apart, those of a random batch half an hour.
        overrides={"model.time_scale": 5 * SECONDS_A_FRAME},
        extras={
            "context": ((10, 64, 64, 1), "uint8"),
            "context_time": ((10,), "float32"),
            "time": ((10,), "float32"),
        },
    ),
    "arm_cnn1d": System("mnist12/arm_cnn1d", "arm_cnn1d", 16, (12, 12, 1), 16),
}


def random_examples(system: System, num: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random arrays [num, ...] of what a batch holds."""
    rng = np.random.default_rng(seed)
    arrays = {"image": rng.integers(0, system.num_levels, (num, *system.shape), np.uint8)}
    if system.num_classes is not None:
        arrays["label"] = rng.integers(0, system.num_classes, num, np.int32)
    for name, (shape, dtype) in system.extras.items():
        if dtype == "uint8":
            arrays[name] = rng.integers(0, system.num_levels, (num, *shape), np.uint8)
        else:
            frames = np.arange(1, shape[0] + 1, dtype=np.float32)
            frames -= shape[0] if name.startswith("context") else 0
            times = np.float32(SECONDS_A_FRAME) * frames
            arrays[name] = np.ascontiguousarray(np.broadcast_to(times, (num, *shape)))
    return arrays
