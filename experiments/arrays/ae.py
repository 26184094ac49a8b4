"""Convolutional autoencoder on arrays of your own: images of any size, 1 to 16 channels.

Paper: Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks"
Command: gm-jax train arrays/ae --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=Autoencoder(
            coder=ConvCoder(features=(32, 64), strides=(2, 2), dense=256),
            latent_dim=32,
            optimizer=Optimizer(learning_rate=1e-3),
        ),
        training=Training(num_steps=3000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(checkpoint="best"),
    )
