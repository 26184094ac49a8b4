"""Autoencoder on real 8x8 digits.

Paper: Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"
Command: gm-jax train digits/ae
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", test="test"),
        model=Autoencoder(
            coder=DenseCoder(hidden=(128, 64)),
            latent_dim=16,
            optimizer=Optimizer(learning_rate=2e-3),
        ),
        training=Training(num_steps=3000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(checkpoint="best"),
    )
