"""Deep convolutional GAN (Radford et al. 2016, arXiv:1511.06434).

Strides instead of pooling; batch norm in both networks, but neither on the generator's output nor
on the discriminator's input; ReLU and tanh in the generator, leaky ReLU of slope 0.2 in the
discriminator; kernels from N(0, 0.02²); Adam 2e-4 with b1 0.5. Maps go from 4 to 7 pixels up to the
image's size, so 28, 32, 64, 128 or any other number of pixels will do, in any number of channels.
"""

import dataclasses

from gm_jax.models.adversarial import Adversarial
from gm_jax.nets.discriminators import ConvDiscriminator, Discriminator
from gm_jax.nets.generators import ConvGenerator, Generator

_SCALE = 0.02


@dataclasses.dataclass(frozen=True)
class DCGAN(Adversarial):
    """The paper's networks; their features follow from the image's size unless given."""

    generator: Generator = ConvGenerator(norm="batch", init_scale=_SCALE)
    """Maps latents to images."""
    discriminator: Discriminator = ConvDiscriminator(norm="batch", init_scale=_SCALE)
    """Tells real images from generated ones."""
