"""RealNVP on a table of your own: an exact density, and samples, of a .csv or a .npy array [N, D].

Without a path it learns scikit-learn's iris: a hundred rows, of which a flow learns each by heart,
so that the best checkpoint comes early. Two columns are needed at least.

Paper: Dinh et al. 2017, arXiv:1605.08803
Command: gm-jax train points/realnvp --data.path my.csv
"""

from gm_jax.data import PointData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import VectorFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=PointData(standardize=True, batch_size=256),
        model=RealNVP(
            flow=VectorFlow(couplings=8, hidden=(64, 64)),
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=3000,
                clip_norm=10.0,
                weight_decay=1e-3,
                ema_decay=0.995,
            ),
        ),
        training=Training(num_steps=3000, log_every=100, eval_every=100, sample_every=500),
        evaluation=Evaluation(checkpoint="best"),
    )
