"""Features of images by FID's Inception-v3, as FID, KID and the Inception Score compare them."""

import functools
import os
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.evaluation.features import Embedded, in_batches
from gm_jax.evaluation.inception.weights import InceptionWeights, load_inception
from gm_jax.functional.resizing import (
    bicubic_antialiased,
    bilinear_halfpixel,
    bilinear_tensorflow1,
)
from gm_jax.nets.inception import InceptionV3

ResizeName = Literal["tf1", "pytorch", "clean"]
"""How images become 299x299: "tf1" as in the graph itself (Heusel et al. 2017 and torch-fidelity),
"pytorch" as in pytorch-fid, "clean" as in clean-fid. Figures of different ones do not compare."""

SIDE = 299
"""Of the images that the network sees, in pixels."""


class InceptionFeatures:
    """The last layer but one of the network, and what it says of ImageNet's classes.

    The probabilities are those of the logits without bias, by which the Inception Score is defined.

    Attributes:
      name: "inception-<8 digits of the file's SHA-256>-<resize>"; figures of equal names compare.
      dim: 2048.
    """

    dim = 2048
    reads_labels = False

    def __init__(
        self,
        weights: InceptionWeights,
        spec: DataSpec,
        resize: ResizeName = "tf1",
        batch_size: int = 32,
    ):
        """For images of this spec.

        Args:
          weights: of `load_inception`.
          spec: of the images; their highest level becomes white, and one channel is grey.
          resize: how they become 299x299.
          batch_size: images that the network sees at once, at most.

        Raises:
          UserError: for points, sequences, or other than 1 or 3 channels; or there is no such
            resizing.
        """
        _check(spec, resize)
        self.name = f"inception-{weights.digest}-{resize}"
        self._batch_size = batch_size
        self._apply = functools.partial(
            _features, weights.variables, resize=resize, top=spec.num_levels - 1
        )

    def __call__(self, images: np.ndarray) -> Embedded:
        # A power of two, so that few different sizes are compiled.
        size = min(self._batch_size, 1 << (len(images) - 1).bit_length())
        features, probabilities = in_batches(self._apply, images, size)
        return Embedded(features, probabilities)


def inception_features(
    spec: DataSpec, resize: ResizeName = "tf1", path: str | os.PathLike | None = None
) -> InceptionFeatures:
    """Features by the weights of a file.

    Args:
      spec: of the images.
      resize: how they become 299x299.
      path: of the file; None: what the environment variable `GM_JAX_INCEPTION` says.

    Raises:
      UserError: as `InceptionFeatures` and `load_inception`.
    """
    _check(spec, resize)  # before a hundred megabytes are read
    return InceptionFeatures(load_inception(path), spec, resize)


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


def _check(spec: DataSpec, resize: str) -> None:
    if resize not in get_args(ResizeName):
        known = ", ".join(get_args(ResizeName))
        raise UserError(f"there is no resizing {resize} for Inception-v3, but {known}")
    if spec.continuous or spec.is_sequence or spec.shape[-1] not in (1, 3):
        shape = "x".join(map(str, spec.shape))
        kind = "points" if spec.continuous else "sequences" if spec.is_sequence else shape
        raise UserError(f"Inception-v3 sees images of 1 or 3 channels, and these data are {kind}")
