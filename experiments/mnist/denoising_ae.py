"""Denoising autoencoder: convolutions 64, 64, 32 with pooling, mirrored; noise of 0.4.

Paper: Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders"
Command: gm-jax train mnist/denoising_ae
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.autoencoder import Autoencoder
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]"),
        model=Autoencoder(
            # 28x28x64, 14x14x64 and 7x7x32, each halved by pooling: the code is 4x4x32
            coder=ConvCoder(
                features=(64, 64),
                strides=(2, 2),
                dense=None,
                pooling=True,
                code_stride=2,
                code_kernel=3,
                activate_code=True,
                initializer="glorot",
            ),
            latent_dim=32,
            loss="bce",
            noise=0.4,
            optimizer=Optimizer(learning_rate=1e-3),
        ),
        training=Training(num_steps=4300, eval_every=430, sample_every=430),  # 10 epochs
    )
