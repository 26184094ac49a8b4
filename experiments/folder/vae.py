"""VAE on images of your own: any folder, .tar or .zip of them, as 64x64.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train folder/vae --data.path my_images
"""

from gm_jax.data import HorizontalFlip, ImageData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import ConvCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(size=64, augment=(HorizontalFlip(),), batch_size=32),
        model=VAE(
            coder=ConvCoder(features=(32, 64, 128), strides=(2, 2, 2), dense=256),
            latent_dim=32,
            likelihood="bernoulli",
            optimizer=Optimizer(learning_rate=1e-3),
        ),
        training=Training(num_steps=2000, eval_every=200, sample_every=500),
        evaluation=Evaluation(checkpoint="best"),
    )
