"""Mixture of Gaussians on three clusters on a line: the density over a histogram, by iteration.

A batch is the whole training set, so that each step is one iteration of EM. The fit is drawn in
samples/step_*_density.png.

Paper: Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"
Command: gm-jax train toy/gmm_1d
"""

from gm_jax.data import Clusters, Data
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Clusters(
                weights=(0.5, 0.3, 0.2),
                means=(-2.0, 1.0, 4.0),
                deviations=(0.6, 1.0, 0.4),
                correlations=(),
                num_train=2_000,
            ),
            train="train",
            valid="validation",
            batch_size=2_000,
        ),
        model=GMM(num_components=3),
        training=Training(
            num_steps=40, log_every=1, eval_every=10, checkpoint_every=10, sample_every=1
        ),
    )
