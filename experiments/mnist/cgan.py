"""Label-conditioned GAN on MNIST: dense networks, digits on demand.

gm-jax sample runs/mnist/cgan --label 7

Paper: Mirza & Osindero 2014, arXiv:1411.1784
Command: gm-jax train mnist/cgan
"""

import dataclasses

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.cgan import CGAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    adam = Optimizer(learning_rate=2e-4, b1=0.5, schedule="cosine", decay_steps=43_000)
    return Experiment(
        data=Data(source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]"),
        model=CGAN(
            generator=DenseGenerator(hidden=(512, 1024), norm="batch"),
            discriminator=DenseDiscriminator(hidden=(1024, 512), dropout=0.3),
            latent_dim=100,
            generator_optimizer=dataclasses.replace(adam, ema_decay=0.999),
            discriminator_optimizer=adam,
        ),
        training=Training(
            num_steps=43_000,  # 100 epochs
            log_every=430,
            eval_every=4300,
            checkpoint_every=4300,
            sample_every=4300,
        ),
    )


def reference() -> Experiment:
    """Smaller networks, 110-256-784 and 794-128-1, without norm, dropout, decay or average."""
    adam = Optimizer(learning_rate=1e-4, b1=0.5)
    return get_config().replace(
        **{
            "model.generator": DenseGenerator(hidden=(256,)),
            "model.discriminator": DenseDiscriminator(hidden=(128,)),
            "model.generator_optimizer": adam,
            "model.discriminator_optimizer": adam,
        }
    )
