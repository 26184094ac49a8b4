"""Label-conditioned GAN on 12x12 digits of 16 levels: dense networks, digits on demand.

gm-jax sample runs/mnist12/cgan --label 7

Paper: Mirza & Osindero 2014, arXiv:1411.1784
Command: gm-jax train mnist12/cgan
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.cgan import CGAN
from gm_jax.nets.discriminators import DenseDiscriminator
from gm_jax.nets.generators import DenseGenerator
from gm_jax.optimizer import Optimizer


def _data() -> Data:
    """All of MNIST, 12x12, 16 levels by the reference's rule: floor(15 x) of the resized floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        batch_size=128,
    )


def get_config() -> Experiment:
    return Experiment(
        data=_data(),
        model=CGAN(
            generator=DenseGenerator(hidden=(256, 256), norm="batch"),
            discriminator=DenseDiscriminator(hidden=(256, 256), dropout=0.3),
            latent_dim=32,
            real_label=0.9,
            generator_optimizer=Optimizer(
                learning_rate=2e-4,
                b1=0.5,
                schedule="cosine",
                decay_steps=43_000,
                ema_decay=0.999,
            ),
            discriminator_optimizer=Optimizer(
                learning_rate=2e-4, b1=0.5, schedule="cosine", decay_steps=43_000
            ),
        ),
        training=Training(
            num_steps=43_000,  # 100 epochs
            log_every=430,
            eval_every=4300,
            checkpoint_every=4300,
            sample_every=4300,
        ),
    )
