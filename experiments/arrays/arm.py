"""Dilated causal convolutions over all values of arrays of your own, whatever their shape.

The time of a step and of a sample grows with height x width x channels.

Paper: van den Oord et al. 2016, arXiv:1609.03499
Command: gm-jax train arrays/arm --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.arm import ARM
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=32),
        model=ARM(
            channels=64,
            kernel_size=9,
            dilations=(1, 2, 4, 8, 16),
            gated=True,
            optimizer=Optimizer(
                learning_rate=2e-3, schedule="cosine", decay_steps=3000, ema_decay=0.995
            ),
        ),
        training=Training(num_steps=3000, eval_every=250, sample_every=1000),
        evaluation=Evaluation(batch_size=64, checkpoint="best"),
    )
