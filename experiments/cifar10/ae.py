"""Convolutional autoencoder on CIFAR-10, squared error.

The other learning rate that was compared is the variant `high_rate`.

Paper: Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"
Command: gm-jax train cifar10/ae
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Tfds("cifar10"), train="train[:40000]", valid="train[40000:]"),
        model=Autoencoder(
            coder=ConvCoder(features=(32, 64, 128), strides=(2, 2, 2), dense=512),
            latent_dim=128,
            optimizer=Optimizer(learning_rate=5e-4),
        ),
        training=Training(num_steps=15650, eval_every=626, sample_every=1565),  # 50 epochs
        evaluation=Evaluation(checkpoint="best"),
    )


def high_rate() -> Experiment:
    """A learning rate of 1e-2 in place of 5e-4."""
    return get_config().replace(**{"model.optimizer.learning_rate": 1e-2})
