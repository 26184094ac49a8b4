"""Gated PixelCNN of real 8x8 digits, told the label: digits on demand, and exact bits/dim.

gm-jax sample runs/digits/arm_pixelcnn --label 7
gm-jax inpaint runs/digits/arm_pixelcnn --known top

Trained with labels, so its bits/dim are those of p(x|y).

Paper: van den Oord et al. 2016, arXiv:1606.05328
Command: gm-jax train digits/arm_pixelcnn
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", batch_size=64),
        model=PixelCNN(
            conditional=True,
            gated=True,
            channels=32,
            first_kernel=5,
            kernel_size=3,
            num_blocks=4,
            output_layers=1,
            optimizer=Optimizer(
                learning_rate=2e-3,
                schedule="cosine",
                decay_steps=800,
                weight_decay=0.1,
                ema_decay=0.995,
            ),
        ),
        training=Training(num_steps=800, eval_every=100, sample_every=200),
        evaluation=Evaluation(checkpoint="best"),
    )
