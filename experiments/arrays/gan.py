"""GAN with dense networks on arrays of your own: images of any size, 1 to 16 channels.

Paper: Goodfellow et al. 2014, arXiv:1406.2661
Command: gm-jax train arrays/gan --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=GAN(
            generator=DenseGenerator(hidden=(256, 512), norm="batch"),
            discriminator=DenseDiscriminator(hidden=(512, 256), dropout=0.3),
            latent_dim=32,
            real_label=0.9,
            generator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5, ema_decay=0.995),
            discriminator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5),
        ),
        training=Training(num_steps=10_000, eval_every=1000, sample_every=1000),
    )
