"""Gated PixelCNN on MNIST with 256 levels: 7 blocks of dilation 1, 2, 1, 4, 1, 2, 1.

Paper: van den Oord et al. 2016, arXiv:1606.05328
Command: gm-jax train mnist/pixelcnn
Budget: 240 core-minutes
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return paper().replace(
        **{
            "data.batch_size": 16,
            "model.channels": 32,
            "model.optimizer.learning_rate": 3e-3,
            "model.optimizer.warmup_steps": 100,
            "model.optimizer.decay_steps": 40_000,
            "training.num_steps": 40_000,  # 11.6 epochs
            "training.log_every": 200,
            "training.eval_every": 2000,
            "training.sample_every": 8000,
        }
    )


def paper() -> Experiment:
    """64 channels and 150 epochs, for an accelerator."""
    return Experiment(
        data=Data(source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]"),
        model=PixelCNN(
            gated=True,
            channels=64,
            first_kernel=7,
            kernel_size=3,
            num_blocks=7,
            dilations=(1, 2, 1, 4, 1, 2, 1),
            output_layers=0,
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=64_500, ema_decay=0.999
            ),
        ),
        training=Training(num_steps=64_500, log_every=430, eval_every=2150, sample_every=21_500),
        evaluation=Evaluation(batch_size=128, checkpoint="best"),
    )
