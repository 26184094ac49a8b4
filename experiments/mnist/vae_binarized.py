"""VAE on the fixed binarized MNIST, scored by IWAE with 5,000 samples.

Paper: Kingma & Welling 2014, arXiv:1312.6114; Burda et al. 2016, arXiv:1509.00519
Command: gm-jax train mnist/vae_binarized
Budget: 240 core-minutes
Minutes: 14, then 26 for IWAE-5000 (2 CPU cores, shared)
Score: test −log p 89.80 nats (bound, IWAE-5000), −ELBO 94.11; published for this size: 86.8 to
  89.8
"""

from gm_jax.data import BinarizedMnist, Data
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=BinarizedMnist(),
            train="train",
            valid="validation",
            test="test",
            batch_size=100,
        ),
        model=VAE(
            coder=DenseCoder(hidden=(500, 500)),
            latent_dim=50,
            likelihood="bernoulli",
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=30_000,
                weight_decay=0.1,
                ema_decay=0.999,
            ),
        ),
        training=Training(num_steps=30_000, log_every=500, eval_every=1000, sample_every=10_000),
        evaluation=Evaluation(batch_size=100, num_samples=5000, checkpoint="best"),
    )
