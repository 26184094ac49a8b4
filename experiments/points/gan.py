"""GAN on a table of your own: samples of a .csv or a .npy array [N, D].

Without a path it learns scikit-learn's iris.

Paper: Goodfellow et al. 2014, arXiv:1406.2661
Command: gm-jax train points/gan --data.path my.csv
"""

from gm_jax.data import PointData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gan import GAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=PointData(standardize=True, batch_size=256),
        model=GAN(
            generator=DenseGenerator(hidden=(128, 128), output="linear"),
            discriminator=DenseDiscriminator(hidden=(128, 128)),
            latent_dim=8,
            generator_optimizer=Optimizer(learning_rate=5e-4, b1=0.5, ema_decay=0.999),
            discriminator_optimizer=Optimizer(learning_rate=5e-4, b1=0.5),
        ),
        training=Training(num_steps=5000, log_every=100, eval_every=0, sample_every=500),
    )
