"""DDPM on a table of your own: samples, and a bound of the density, of a .csv or a .npy array.

Without a path it learns scikit-learn's iris.

Paper: Ho et al. 2020, arXiv:2006.11239
Command: gm-jax train points/ddpm --data.path my.csv
"""

from gm_jax.data import PointData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=PointData(standardize=True, batch_size=256),
        model=DDPM(
            network=DenseDenoiser(hidden=(128, 128, 128)),
            num_steps=200,
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=5000, ema_decay=0.999
            ),
        ),
        training=Training(
            num_steps=5000, log_every=100, eval_every=500, checkpoint_every=500, sample_every=1000
        ),
        evaluation=Evaluation(num_samples=1, checkpoint="best"),
    )
