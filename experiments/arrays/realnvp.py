"""Multi-scale RealNVP on arrays of your own: any size of 4x4 or more, 1 to 16 channels.

Rows and columns that a halving leaves over become latents of their own.

Paper: Dinh et al. 2017, arXiv:1605.08803
Command: gm-jax train arrays/realnvp --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import ImageFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=RealNVP(
            flow=ImageFlow(halvings=2, checkerboard=2, channelwise=2, width=(16, 32, 32)),
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                warmup_steps=100,
                decay_steps=5000,
                clip_norm=1000.0,
                ema_decay=0.999,
            ),
        ),
        training=Training(num_steps=5000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(num_samples=20, checkpoint="best"),
    )
