"""Label-conditioned GAN on MNIST: dense networks, digits on demand.

gm-jax sample runs/mnist/cgan --label 7

Paper: Mirza & Osindero 2014, arXiv:1411.1784
Command: gm-jax train mnist/cgan
Minutes: ?
Score: ?
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.cgan import CGAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]"),
        model=CGAN(
            generator=DenseGenerator(hidden=(256,)),  # 110-256-784
            discriminator=DenseDiscriminator(hidden=(128,)),  # 794-128-1
            latent_dim=100,
            generator_optimizer=Optimizer(learning_rate=1e-4, b1=0.5),
            discriminator_optimizer=Optimizer(learning_rate=1e-4, b1=0.5),
        ),
        training=Training(
            num_steps=43_000,  # 100 epochs
            log_every=430,
            eval_every=4300,
            checkpoint_every=4300,
            sample_every=4300,
        ),
    )
