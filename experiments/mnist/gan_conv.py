"""Convolutional GAN on MNIST at 32x32: nearest-neighbour growth, dropout and label smoothing.

Half the channels of the reference's generator, which takes most of the time.

Paper: Goodfellow et al. 2014, arXiv:1406.2661
Command: gm-jax train mnist/gan_conv
"""

from gm_jax.data import Data, Resize, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(Resize(32),),
            batch_size=50,
        ),
        model=GAN(
            # 8x8x64, 16x16x64, 32x32x32, 32x32x1
            generator=ConvGenerator(
                features=(64, 64, 32),
                strides=(2, 2, 1),
                upsampling="nearest",
                activation="leaky_relu",
                norm="batch",
                dense_activation=False,
                init_scale=0.02,
            ),
            discriminator=ConvDiscriminator(
                features=(16, 32, 64, 128),
                kernel_size=3,
                norm="batch",
                norm_last=True,
                dropout=0.25,
                init_scale=0.02,
            ),
            latent_dim=100,
            real_label=0.9,
            generator_optimizer=Optimizer(learning_rate=2e-3, b1=0.5),
            discriminator_optimizer=Optimizer(learning_rate=2e-3, b1=0.5),
        ),
        training=Training(
            num_steps=11_000,  # 10 epochs
            log_every=100,
            eval_every=1100,
            checkpoint_every=550,
            sample_every=550,
        ),
    )


def reference() -> Experiment:
    """The reference's generator: 8x8x128, 16x16x128, 32x32x64. How long it trained is not known.

    Budget: 240 core-minutes
    """
    return get_config().replace(**{"model.generator.features": (128, 128, 64)})
