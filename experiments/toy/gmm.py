"""Mixture of Gaussians on four clusters in the plane: EM, with a picture of each iteration.

A batch is the whole training set, so that each step is one iteration of EM. The fit is drawn over
validation points in samples/step_*_density.png, by lines that enclose as much as 1, 2 and 3
standard deviations of a Gaussian do.

Paper: Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"
Command: gm-jax train toy/gmm
"""

from gm_jax.data import Clusters, Data
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Clusters(num_train=2_000),
            train="train",
            valid="validation",
            batch_size=2_000,
        ),
        model=GMM(num_components=4),
        training=Training(
            num_steps=40, log_every=1, eval_every=10, checkpoint_every=10, sample_every=1
        ),
    )
