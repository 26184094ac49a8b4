"""VAE with dense layers, 784-64-64-z4, and squared error.

Summed squared error plus KL is, up to constants, the ELBO of a Gaussian likelihood of standard
deviation 1/sqrt(2): so wide that its samples are noise around digits, and its bits/dim above 8.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train mnist/vae_mlp
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=200
        ),
        model=VAE(
            coder=DenseCoder(hidden=(64, 64)),
            latent_dim=4,
            likelihood="gaussian",
            scale=0.5**0.5,
            optimizer=Optimizer(learning_rate=4e-4),
        ),
        training=Training(num_steps=6875, eval_every=275, sample_every=1375),  # 25 epochs
        evaluation=Evaluation(num_samples=100),
    )


def reference() -> Experiment:
    """The reference's initial values, PyTorch's: weights and biases uniform in ±1/√fan_in."""
    return get_config().replace(**{"model.coder.initializer": "torch"})
