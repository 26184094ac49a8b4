"""Features that nobody trained: a small convolutional network with fixed random weights.

They need no classifier and no labels, and see shapes and strokes, but no meaning (Naeem et al.
2020, arXiv:2002.09797, compare images of new domains in such).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.evaluation.features import Embedded, in_batches, parameters_digest
from gm_jax.functional.dequantization import to_symmetric
from gm_jax.functional.dtypes import full_precision
from gm_jax.rng import rngs_from_seed

_WIDTHS = (16, 32, 64)


class RandomFeatures:
    """Fixed random convolutions, means over the four quarters: 256 features.

    Attributes:
      name: random, with the first 8 digits of the weights' SHA-256.
      dim: 256.
    """

    reads_labels = False

    def __init__(self, spec: DataSpec, seed: int = 0):
        """For images of this spec.

        Raises:
          UserError: for points or sequences.
        """
        if spec.continuous or spec.is_sequence:
            kind = "points" if spec.continuous else "sequences"
            raise UserError(f"random features are of images, and these data are {kind}")
        net = _Net()
        one = jnp.zeros((1, *spec.shape))
        params = net.init(rngs_from_seed(seed).at("eval")("features"), one)
        self.name = f"random-{parameters_digest(params)}"
        self.dim = int(jax.eval_shape(net.apply, params, one).shape[1])

        def embed(image: jax.Array) -> Any:
            with full_precision():
                return net.apply(params, to_symmetric(image, spec.num_levels))

        self._embed = jax.jit(embed)

    def __call__(self, images: np.ndarray) -> Embedded:
        return Embedded(in_batches(lambda part: (self._embed(part),), images)[0], None)


class _Net(nn.Module):
    """x [B, H, W, C] in [-1, 1] -> [B, 4 * 64]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width in _WIDTHS:
            x = nn.Conv(width, (3, 3), kernel_init=nn.initializers.he_uniform())(x)
            x = nn.max_pool(nn.relu(x), (2, 2), (2, 2), padding="SAME")
        rows, columns = x.shape[1:3]
        halves = [x[:, : -(-rows // 2)], x[:, rows // 2 :]]
        quarters = [
            part.mean((1, 2))
            for half in halves
            for part in (half[:, :, : -(-columns // 2)], half[:, :, columns // 2 :])
        ]
        return jnp.concatenate(quarters, -1)
