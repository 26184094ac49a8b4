"""RealNVP's density of points: eight Gaussians on a ring, whose entropy is known.

The figure is minus the log of a density, in nats: it may be negative. Its floor is the entropy of
the ring, log 8 + log(2 pi e 0.2²) = 1.70 nats.

Paper: Dinh et al. 2017, arXiv:1605.08803
Command: gm-jax train toy/realnvp
"""

from gm_jax.data import Data, Ring
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import VectorFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Ring(scale=0.2), train="train", valid="validation", test="test", batch_size=256
        ),
        model=RealNVP(
            flow=VectorFlow(couplings=12, hidden=(64, 64)),
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=8000,
                clip_norm=10.0,
                ema_decay=0.995,
            ),
        ),
        training=Training(num_steps=8000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(checkpoint="best"),
    )
