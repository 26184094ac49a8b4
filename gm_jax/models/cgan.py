"""Conditional GAN (Mirza & Osindero 2014, arXiv:1411.1784).

  min_G max_D  E_{x,y}[log D(x|y)] + E_{z,y}[log(1 - D(G(z|y)|y))]

Labels enter both networks as one-hot vectors: behind z, and behind the image's values (dense) or as
constant channels (convolutional). Generated images take the labels of the batch, so their classes
are as frequent as those of the data.
"""

import dataclasses
from typing import ClassVar

from gm_jax.models.adversarial import Adversarial


@dataclasses.dataclass(frozen=True)
class CGAN(Adversarial):
    """Samples by label; without one, the classes take turns."""

    conditional: ClassVar[bool] = True
