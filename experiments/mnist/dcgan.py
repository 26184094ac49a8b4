"""Convolutional GAN on MNIST with batch norm in both networks.

Half the channels of the reference's generator, and an average of its weights.

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train mnist/dcgan
Budget: 240 core-minutes
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=64
        ),
        model=DCGAN(
            # 7x7x256, 7x7x128, 14x14x64, 28x28x1
            generator=ConvGenerator(
                features=(256, 128, 64), strides=(1, 2, 2), norm="batch", init_scale=0.02
            ),
            discriminator=ConvDiscriminator(
                features=(64, 64, 128, 256), norm="batch", init_scale=0.02
            ),
            latent_dim=100,
            generator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5, ema_decay=0.999),
            discriminator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5),
        ),
        training=Training(
            num_steps=17_200,  # 20 epochs
            log_every=50,
            eval_every=860,
            checkpoint_every=430,
            sample_every=430,
        ),
    )


def reference() -> Experiment:
    """The reference's: 7x7x512, 7x7x256, 14x14x128, 28x28x1, and no average.

    Budget: 720 core-minutes
    """
    return get_config().replace(
        **{
            "model.generator.features": (512, 256, 128),
            "model.generator_optimizer": Optimizer(learning_rate=1e-4, b1=0.5),
            "model.discriminator_optimizer": Optimizer(learning_rate=1e-4, b1=0.5),
            "data.batch_size": 128,
            "training.num_steps": 21_500,  # 50 epochs
        }
    )
