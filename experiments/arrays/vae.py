"""Convolutional VAE on arrays of your own: images of any size, 1 to 16 channels.

gm_jax.fit(gm_jax.load("arrays/vae"), data=(images, labels)) in a notebook.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train arrays/vae --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=VAE(
            coder=ConvCoder(features=(32, 64), strides=(2, 2), dense=256),
            latent_dim=16,
            likelihood="discretized_logistic",
            optimizer=Optimizer(learning_rate=1e-3),
        ),
        training=Training(num_steps=3000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(num_samples=100, checkpoint="best"),
    )
