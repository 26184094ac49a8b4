"""Gated PixelCNN on arrays of your own: images of any size, 1 to 16 channels in their order.

Paper: van den Oord et al. 2016, arXiv:1606.05328
Command: gm-jax train arrays/pixelcnn --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=32),
        model=PixelCNN(
            gated=True,
            channels=64,
            first_kernel=5,
            kernel_size=3,
            num_blocks=5,
            dilations=(1, 2, 1, 4, 1),
            output_layers=1,
            optimizer=Optimizer(
                learning_rate=2e-3, schedule="cosine", decay_steps=3000, ema_decay=0.995
            ),
        ),
        training=Training(num_steps=3000, eval_every=250, sample_every=1000),
        evaluation=Evaluation(batch_size=64, checkpoint="best"),
    )
