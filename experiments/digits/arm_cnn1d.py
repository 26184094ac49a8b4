"""Dilated causal convolutions over the 64 values of real 8x8 digits.

Paper: van den Oord et al. 2016, arXiv:1609.03499
Command: gm-jax train digits/arm_cnn1d
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.arm import ARM
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", batch_size=64),
        model=ARM(
            channels=64,
            kernel_size=9,
            dilations=(1, 2, 4, 8),
            gated=True,
            optimizer=Optimizer(
                learning_rate=2e-3,
                schedule="cosine",
                decay_steps=600,
                weight_decay=0.1,
                ema_decay=0.995,
            ),
        ),
        training=Training(num_steps=600, eval_every=50, sample_every=200),
        evaluation=Evaluation(checkpoint="best"),
    )
