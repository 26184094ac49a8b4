"""Generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661).

  min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))],   z ~ N(0, I)

with dense or convolutional networks and the losses of `functional.adversarial`: non-saturating with
label smoothing, WGAN-GP, hinge, least squares.
"""

import dataclasses

from gm_jax.models.adversarial import Adversarial


@dataclasses.dataclass(frozen=True)
class GAN(Adversarial):
    """Any generator against any discriminator; dense ones by default."""
