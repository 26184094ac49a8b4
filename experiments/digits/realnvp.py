"""RealNVP on real 8x8 digits: couplings on halves of the 64 values, and learned noise.

Paper: Dinh et al. 2017, arXiv:1605.08803
Command: gm-jax train digits/realnvp
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import VectorFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", batch_size=64),
        model=RealNVP(
            flow=VectorFlow(couplings=8, hidden=(128, 128), log_scale_limit=1.0),
            dequantization="variational",
            dequantizer=VectorFlow(couplings=2, hidden=(128,), actnorm=False),
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=3000,
                weight_decay=1.0,
                clip_norm=100.0,
                ema_decay=0.99,
            ),
        ),
        training=Training(num_steps=3000, eval_every=250, sample_every=500),
        evaluation=Evaluation(num_samples=100, checkpoint="best"),
    )
