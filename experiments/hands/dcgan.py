"""DCGAN without batch norm on 32x32 grey X-rays of hands, from a folder of images.

Two dozen images are enough to learn them by heart, and no more. Another folder: --data.path

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train hands/dcgan
"""

from gm_jax.data import ImageData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData("images/hands", size=32, channels=1, batch_size=32),
        model=DCGAN(
            # dense 8192 = 4x4x512, 8x8x128, 16x16x64, 32x32x1
            generator=ConvGenerator(features=(512, 128, 64)),
            discriminator=ConvDiscriminator(features=(64, 128)),
            latent_dim=100,
            generator_optimizer=Optimizer(learning_rate=1e-4, b1=0.5),
            discriminator_optimizer=Optimizer(learning_rate=9e-5, b1=0.5),
        ),
        training=Training(
            num_steps=1500, log_every=50, eval_every=0, checkpoint_every=500, sample_every=250
        ),
    )


def reference() -> Experiment:
    """The reference's initial values, PyTorch's: weights and biases uniform in ±1/√fan_in."""
    return get_config().replace(
        **{"model.generator.initializer": "torch", "model.discriminator.initializer": "torch"}
    )
