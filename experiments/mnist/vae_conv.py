"""VAE with convolutions 16, 32 (stride 2), 16, a dense layer of 512 and z 4, and squared error.

The decoder's output is linear, so that it reaches the background value.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train mnist/vae_conv
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=200
        ),
        model=VAE(
            coder=ConvCoder(features=(16, 32, 16), strides=(1, 2, 1), dense=512),
            latent_dim=4,
            likelihood="gaussian",
            scale=0.5**0.5,
            optimizer=Optimizer(learning_rate=4e-4),
        ),
        training=Training(num_steps=6875, eval_every=275, sample_every=1375),  # 25 epochs
    )


def reference() -> Experiment:
    """The reference's initial values, PyTorch's: weights and biases uniform in ±1/√fan_in."""
    return get_config().replace(**{"model.coder.initializer": "torch"})
