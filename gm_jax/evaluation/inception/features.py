"""Features of images by FID's Inception-v3, as FID, KID and the Inception Score compare them."""

import functools
import os
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.errors import UserError
from gm_jax.evaluation.inception.weights import InceptionWeights, load_inception
from gm_jax.functional.resizing import (
    bicubic_antialiased,
    bilinear_halfpixel,
    bilinear_tensorflow1,
)
from gm_jax.nets.inception import NUM_CLASSES, InceptionV3

ResizeName = Literal["tf1", "pytorch", "clean"]
"""How images become 299x299: "tf1" as in the graph itself (Heusel et al. 2017 and torch-fidelity),
"pytorch" as in pytorch-fid, "clean" as in clean-fid. Figures of different ones do not compare."""

SIDE = 299
"""Of the images that the network sees, in pixels."""


class InceptionFeatures:
    """Features and class probabilities of images.

    Attributes:
      name: "inception-<8 digits of the file's SHA-256>-<resize>"; figures of equal names compare.
      dim: 2048.
    """

    dim = 2048

    def __init__(
        self,
        weights: InceptionWeights,
        resize: ResizeName = "tf1",
        num_levels: int = 256,
        batch_size: int = 32,
    ):
        """Features of images with these levels.

        Args:
          weights: of `load_inception`.
          resize: how images become 299x299.
          num_levels: that the images have; the highest one becomes white.
          batch_size: images that the network sees at once, at most; features do not depend on it,
            but for rounding.

        Raises:
          UserError: there is no such resizing.
        """
        if resize not in get_args(ResizeName):
            known = ", ".join(get_args(ResizeName))
            raise UserError(f"there is no resizing {resize!r} for Inception, but {known}")
        self.name = f"inception-{weights.digest}-{resize}"
        self._variables = weights.variables
        self._network = functools.partial(_features, resize=resize, top=num_levels - 1)
        self._batch_size = batch_size

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and probabilities of images.

        Args:
          images: levels [N, H, W, C]; one channel is grey, three are red, green, blue.

        Returns:
          Features [N, 2048], and probabilities [N, 1008] by the logits without bias, of which the
          Inception Score is defined; both float32.

        Raises:
          UserError: the images have another number of channels.
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise UserError(
                "Inception's features are of images with 1 or 3 channels, not of "
                + "x".join(map(str, images.shape[1:]))
            )
        # A power of two, so that few different sizes are compiled.
        size = min(self._batch_size, 1 << (len(images) - 1).bit_length()) if len(images) else 1
        features = [np.zeros((0, self.dim), np.float32)]
        probabilities = [np.zeros((0, NUM_CLASSES), np.float32)]
        for start in range(0, len(images), size):
            part = images[start : start + size]
            rest = size - len(part)
            padded = np.pad(part, [(0, rest), (0, 0), (0, 0), (0, 0)], mode="edge")
            of_part = self._network(self._variables, padded)
            features.append(np.asarray(of_part[0])[: len(part)])
            probabilities.append(np.asarray(of_part[1])[: len(part)])
        return np.concatenate(features), np.concatenate(probabilities)


def inception_features(
    path: str | os.PathLike | None = None, resize: ResizeName = "tf1", num_levels: int = 256
) -> InceptionFeatures:
    """Features by the weights of a file.

    Args:
      path: of the file; None: what the environment variable `GM_JAX_INCEPTION` says.
      resize: how images become 299x299.
      num_levels: that the images have.

    Raises:
      UserError: as `load_inception` and `InceptionFeatures`.
    """
    return InceptionFeatures(load_inception(path), resize, num_levels)


def network_input(
    images: jax.Array, resize: ResizeName, top: int = 255, side: int = SIDE
) -> jax.Array:
    """What the network is given.

    Args:
      images: levels [B, H, W, C], C 1 or 3.
      resize: how they become side x side.
      top: the level of white.
      side: of the result.

    Returns:
      float32 [B, side, side, 3], about in [-1, 1].
    """
    x = jnp.broadcast_to(images.astype(jnp.float32), (*images.shape[:3], 3))
    x = x * (255.0 / top)
    if resize == "pytorch":
        return 2.0 * bilinear_halfpixel(x / 255.0, (side, side)) - 1.0
    if resize == "clean":
        x = jnp.clip(bicubic_antialiased(x, (side, side)), 0.0, 255.0)
    else:
        x = bilinear_tensorflow1(x, (side, side))
    return (x - 128.0) / 128.0


@functools.partial(jax.jit, static_argnames=("resize", "top"))
def _features(
    variables: Any, images: jax.Array, *, resize: ResizeName, top: int
) -> tuple[jax.Array, jax.Array]:
    outputs: Any = InceptionV3().apply(variables, network_input(images, resize, top))
    return outputs.features_2048, jax.nn.softmax(outputs.logits_unbiased, -1)
