"""Gated PixelCNN on CIFAR-10: 15 blocks of 129 channels, a third of them for each colour.

For an accelerator.

Paper: van den Oord et al. 2016, arXiv:1606.05328
Command: gm-jax train cifar10/pixelcnn
Budget: 600 device-minutes
"""

from gm_jax.data import Data, HorizontalFlip, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("cifar10"),
            train="train[:45000]",
            valid="train[45000:]",
            transforms=(HorizontalFlip(),),
            batch_size=64,
        ),
        model=PixelCNN(
            gated=True,
            channels=129,
            first_kernel=7,
            kernel_size=5,
            num_blocks=15,
            output_layers=2,
            optimizer=Optimizer(
                learning_rate=5e-4,
                schedule="cosine",
                warmup_steps=500,
                decay_steps=140_000,
                clip_norm=1000.0,
                ema_decay=0.9995,
            ),
        ),
        training=Training(  # 200 epochs
            num_steps=140_000, log_every=500, eval_every=3500, sample_every=14_000
        ),
        evaluation=Evaluation(batch_size=64, checkpoint="best"),
    )
