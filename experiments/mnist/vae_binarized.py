"""Residual convolutional VAE on the fixed binarized MNIST, scored by IWAE with 5,000 samples.

It trains on the importance-weighted bound of 4 latents, doubly reparameterized. The blocks work at
14x14 and 7x7: a small net that sees pixels by their places does not learn the fixed binarization by
heart, as dense layers do. Its own bound, neg_iwae, picks the checkpoint, since encoders that are
trained so have a loose ELBO.

Paper: Kingma & Welling 2014, arXiv:1312.6114; Burda et al. 2016, arXiv:1509.00519; Tucker et al.
  2018, arXiv:1810.04152
Command: gm-jax train mnist/vae_binarized
Budget: 240 core-minutes
"""

from gm_jax.data import BinarizedMnist, Data
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.vae import VAE
from gm_jax.nets.residual_coder import ResidualCoder
from gm_jax.optimizer import Optimizer

NUM_STEPS = 75_000  # 75 epochs


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=BinarizedMnist(),
            train="train",
            valid="validation",
            test="test",
            batch_size=50,
        ),
        model=VAE(
            coder=ResidualCoder(features=(16, 32), first_stride=2),
            latent_dim=40,
            likelihood="bernoulli",
            train_samples=4,
            gradient="dreg",
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                warmup_steps=100,
                decay_steps=NUM_STEPS,
                weight_decay=0.01,
                ema_decay=0.999,
            ),
        ),
        training=Training(
            num_steps=NUM_STEPS,
            log_every=500,
            eval_every=5000,
            sample_every=30_000,
            monitor="neg_iwae",
        ),
        evaluation=Evaluation(batch_size=100, num_samples=5000, checkpoint="best"),
    )


def paper() -> Experiment:
    """Twice the channels, a third stage, two blocks each and 8 latents, for an accelerator."""
    return get_config().replace(
        **{
            "model.coder": ResidualCoder(features=(32, 64, 128), num_blocks=2, first_stride=1),
            "model.train_samples": 8,
        }
    )
