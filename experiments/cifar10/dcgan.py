"""DCGAN on CIFAR-10, z 100.

The sizes that were compared: --sweep model.latent-dim=10,100,2000

No layer has a bias, the first convolution of the discriminator no norm, and the last one, of
kernel 2 on a map of 2x2, is a dense layer.

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train cifar10/dcgan
Budget: 600 device-minutes
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Tfds("cifar10"), train="train[:40000]", valid="train[40000:]"),
        model=DCGAN(
            # 4x4x512, 8x8x256, 16x16x128, 32x32x64, and 1x1 kernels to the colours
            generator=ConvGenerator(
                features=(512, 256, 128, 64),
                strides=(2, 2, 2, 1),
                output_kernel=1,
                output="sigmoid",
                biases=False,
                norm="batch",
                init_scale=0.02,
            ),
            discriminator=ConvDiscriminator(
                features=(64, 128, 256, 512), norm="batch", biases=False, init_scale=0.02
            ),
            latent_dim=100,
            generator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5),
            discriminator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5),
        ),
        training=Training(
            num_steps=31_300,  # 100 epochs
            log_every=50,
            eval_every=1565,
            checkpoint_every=313,
            sample_every=313,
        ),
    )
