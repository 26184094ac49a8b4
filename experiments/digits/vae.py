"""VAE on real 8x8 digits: a minute on a laptop, bits/dim over 17 levels.

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train digits/vae
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", test="test"),
        model=VAE(
            coder=DenseCoder(hidden=(256, 128)),
            latent_dim=8,
            likelihood="discretized_logistic",
            optimizer=Optimizer(
                learning_rate=2e-3, schedule="cosine", decay_steps=3000, weight_decay=1.0
            ),
        ),
        training=Training(num_steps=3000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(num_samples=500, checkpoint="best"),
    )
