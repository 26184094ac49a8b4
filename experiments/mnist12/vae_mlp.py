"""VAE 144-256-256-z64 on 12x12 digits, with a Bernoulli likelihood of the grey values.

All of MNIST; the reference trained on 2,000 images, which these overrides repeat:
--data.train "train[:1900]" --data.valid "train[1900:2000]" --training.eval-every 30

Paper: Kingma & Welling 2014, arXiv:1312.6114
Command: gm-jax train mnist12/vae_mlp
Minutes: 4 (2 CPU cores) for 50 of at most 500 epochs
Score: after 43,000 steps: test −ELBO 34.77 nats (surrogate); the reference, from 2,000 images:
  about 34.3 (validation)
"""

from gm_jax.data import Data, Resize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.coders import DenseCoder
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(Resize(12),),
            batch_size=64,
        ),
        model=VAE(
            coder=DenseCoder(hidden=(256, 256)),
            latent_dim=64,
            likelihood="bernoulli",
            optimizer=Optimizer(name="adamax", learning_rate=1e-3),
        ),
        training=Training(
            num_steps=430_000,  # 500 epochs at most
            log_every=860,
            eval_every=860,
            checkpoint_every=0,
            sample_every=8600,
            patience=20,
        ),
        evaluation=Evaluation(checkpoint="best"),
    )
