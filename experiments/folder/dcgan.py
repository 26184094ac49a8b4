"""DCGAN on a folder (or tar, or zip) of your own images, at any size.

gm-jax train folder/dcgan --data.path my_images --data.size 64

The networks grow with the size: their smallest maps have 4 to 7 pixels. On a CPU take
--model.generator.width 32 --model.discriminator.width 32.

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train folder/dcgan --data.path my_images
"""

from gm_jax.data import ImageData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(size=64, batch_size=64),
        model=DCGAN(
            generator=ConvGenerator(width=64, norm="batch", init_scale=0.02),
            discriminator=ConvDiscriminator(width=64, norm="batch", init_scale=0.02),
            latent_dim=100,
            generator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5, ema_decay=0.999),
            discriminator_optimizer=Optimizer(learning_rate=2e-4, b1=0.5),
        ),
        training=Training(
            num_steps=10_000, log_every=50, eval_every=0, checkpoint_every=250, sample_every=250
        ),
    )
