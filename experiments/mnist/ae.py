"""Autoencoder 784-256-128-256-784 with sigmoids and squared error.

Paper: Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"
Command: gm-jax train mnist/ae
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]"),
        model=Autoencoder(
            coder=DenseCoder(
                hidden=(256,), activation="sigmoid", activate_code=True, initializer="glorot"
            ),
            latent_dim=128,
            optimizer=Optimizer(name="rmsprop", learning_rate=1e-3, b1=0.0, b2=0.9, eps=1e-10),
        ),
        training=Training(num_steps=12900, eval_every=430, sample_every=2150),  # 30 epochs
    )
