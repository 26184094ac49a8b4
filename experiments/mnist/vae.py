"""VAE with dense layers, 784-264-128-z64, and a Bernoulli likelihood of the grey values.

Cross-entropy of grey values bounds no probability: its figure is a surrogate, in nats an image.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train mnist/vae
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=64
        ),
        model=VAE(
            coder=DenseCoder(hidden=(264, 128), initializer="glorot"),
            latent_dim=64,
            likelihood="bernoulli",
            optimizer=Optimizer(name="rmsprop", learning_rate=1e-3, b1=0.0, b2=0.9, eps=1e-10),
        ),
        training=Training(num_steps=43000, eval_every=860, sample_every=8600),  # 50 epochs
    )
