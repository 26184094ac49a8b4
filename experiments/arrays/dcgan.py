"""DCGAN on arrays of your own: images of any size, 1 to 16 channels.

The networks grow with the size: their smallest maps have 4 to 7 pixels on the shorter side.

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train arrays/dcgan --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=DCGAN(
            generator=ConvGenerator(width=32, norm="batch", init_scale=0.02),
            discriminator=ConvDiscriminator(width=32, norm="batch", init_scale=0.02),
            latent_dim=64,
            generator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5, ema_decay=0.999),
            discriminator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5),
        ),
        training=Training(num_steps=10_000, eval_every=1000, sample_every=1000),
    )
