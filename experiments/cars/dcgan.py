"""DCGAN on 64x64 photographs of cars (Stanford Cars).

From TFDS's cars196, or a folder or archive of one's own: --data.path my_cars

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train cars/dcgan
Budget: 600 device-minutes
"""

from gm_jax.data import HorizontalFlip, ImageData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(
            tfds="cars196",
            size=64,
            channels=3,
            train="train[:95%]",
            valid="train[95%:]",
            augment=(HorizontalFlip(),),
            batch_size=200,
        ),
        model=DCGAN(
            # 512-256-128-64-3 and 64-128-256-512-1 at 64 pixels
            generator=ConvGenerator(width=64, norm="batch", init_scale=0.02),
            discriminator=ConvDiscriminator(width=64, norm="batch", init_scale=0.02),
            latent_dim=100,
            generator_optimizer=Optimizer(learning_rate=7e-4, b1=0.5),
            discriminator_optimizer=Optimizer(learning_rate=3e-4, b1=0.5),
        ),
        training=Training(
            num_steps=7800,  # 200 epochs
            log_every=39,
            eval_every=0,
            checkpoint_every=390,
            sample_every=390,
        ),
    )
