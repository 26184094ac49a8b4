"""A Gaussian for each class of arrays of your own, and Bayes' rule: naive Bayes. Needs labels.

Each step adds a batch to the fit. It has seen all images when the steps make up an epoch.

Paper: Fisher 1936, "The use of multiple measurements in taxonomic problems"
Command: gm-jax train arrays/bayes --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.bayes import Bayes


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=256),
        model=Bayes(covariance="diagonal", shrinkage=0.1, variance_floor=1e-3),
        training=Training(num_steps=100, log_every=10, eval_every=50, sample_every=50),
    )
