"""Mixture of 20 Gaussians with diagonal covariances on arrays of your own, by EM on a stream.

Paper: Cappe & Moulines 2009, arXiv:0712.4273
Command: gm-jax train arrays/gmm --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=256),
        model=GMM(
            num_components=20, covariance="diagonal", algorithm="stepwise", variance_floor=1e-4
        ),
        training=Training(num_steps=200, log_every=10, eval_every=50, sample_every=50),
    )
