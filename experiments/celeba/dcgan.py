"""DCGAN on 64x64 faces, with two steps of the discriminator for one of the generator.

From TFDS's celeb_a, or a folder or archive: --data.path images/celeba_aligned_64.tar

Paper: Radford et al. 2016, arXiv:1511.06434
Command: gm-jax train celeba/dcgan
"""

from gm_jax.data import ImageData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.dcgan import DCGAN
from gm_jax.nets.discriminators import ConvDiscriminator
from gm_jax.nets.generators import ConvGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(tfds="celeb_a", size=64, channels=3, labels="none", batch_size=200),
        model=DCGAN(
            # 512-256-128-64-3 and 64-128-256-512-1 at 64 pixels
            generator=ConvGenerator(width=64, norm="batch", init_scale=0.02),
            discriminator=ConvDiscriminator(width=64, norm="batch", init_scale=0.02),
            latent_dim=100,
            discriminator_steps=2,
            generator_optimizer=Optimizer(learning_rate=3e-4, b1=0.5),
            discriminator_optimizer=Optimizer(learning_rate=3e-4, b1=0.5),
        ),
        training=Training(
            num_steps=20_350,  # 25 epochs of the whole set
            log_every=50,
            eval_every=0,
            checkpoint_every=407,
            sample_every=407,
        ),
    )


def three_thousand() -> Experiment:
    """On 3,000 aligned faces from an archive, with half the channels and batches of 64."""
    return get_config().replace(
        **{
            "data.path": "images/celeba_aligned_64.tar",
            "data.batch_size": 64,
            "model.generator.width": 32,
            "model.discriminator.width": 32,
            "model.generator_optimizer.ema_decay": 0.99,
            "training.num_steps": 2000,
            "training.sample_every": 200,
            "training.checkpoint_every": 200,
        }
    )
