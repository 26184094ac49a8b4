"""Convolutional VAE on CIFAR-10: cross-entropy of the values plus 0.1 times KL, z 128.

The other sizes of z that were compared are variants. The code is a dense map of all of the smallest
feature map's 2,048 values, so that no layer is narrower than any.

Paper: Higgins et al. 2017, "beta-VAE: learning basic visual concepts with a constrained
  variational framework"
Command: gm-jax train cifar10/vae
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Tfds("cifar10"), train="train[:40000]", valid="train[40000:]"),
        model=VAE(
            coder=ConvCoder(features=(32, 64, 128), strides=(2, 2, 2), dense=None, vector=True),
            latent_dim=128,
            likelihood="bernoulli",
            beta=0.1,
            optimizer=Optimizer(learning_rate=1e-3),
        ),
        training=Training(
            num_steps=31300,  # 100 epochs
            eval_every=626,
            sample_every=3130,
            monitor="mse",
        ),
        evaluation=Evaluation(checkpoint="best"),
    )


def z10() -> Experiment:
    """10 latents."""
    return get_config().replace(**{"model.latent_dim": 10})


def z512() -> Experiment:
    """512 latents."""
    return get_config().replace(**{"model.latent_dim": 512})


def z2048() -> Experiment:
    """2,048 latents, as many as the smallest feature map has values."""
    return get_config().replace(**{"model.latent_dim": 2048})
