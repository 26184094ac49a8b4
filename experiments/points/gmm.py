"""Mixture of Gaussians on a table of your own: a .csv of numbers, or a .npy array [N, D].

gm-jax train points/gmm --data.path my.csv --model.num-components 5

Without a path it learns scikit-learn's iris. Batches of any table will do, since the statistics of
EM move with each of them. The density of two columns is drawn in samples/step_*_density.png.

Paper: Cappe & Moulines 2009, "On-line expectation-maximization algorithm for latent data models",
arXiv:0712.4273
Command: gm-jax train points/gmm --data.path my.csv
"""

from gm_jax.data import PointData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def get_config() -> Experiment:
    return Experiment(
        data=PointData(standardize=True, batch_size=256),
        model=GMM(num_components=3, algorithm="stepwise", variance_floor=1e-3),
        training=Training(
            num_steps=200, log_every=10, eval_every=20, checkpoint_every=20, sample_every=50
        ),
    )
