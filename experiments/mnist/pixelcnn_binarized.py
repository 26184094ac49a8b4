"""Gated PixelCNN on the fixed binarized MNIST, in exact nats.

Paper: van den Oord et al. 2016, arXiv:1606.05328
Command: gm-jax train mnist/pixelcnn_binarized
"""

from gm_jax.data import BinarizedMnist, Data
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=BinarizedMnist(),
            train="train",
            valid="validation",
            test="test",
            batch_size=100,
        ),
        model=PixelCNN(
            gated=True,
            channels=32,
            first_kernel=7,
            kernel_size=7,
            num_blocks=7,
            output_layers=1,
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=50_000,
                weight_decay=0.01,
                ema_decay=0.999,
            ),
        ),
        training=Training(  # 100 epochs
            num_steps=50_000, log_every=500, eval_every=1000, sample_every=10_000
        ),
        evaluation=Evaluation(batch_size=100, checkpoint="best"),
    )
