"""Dilated causal convolutions over the 144 values of 12x12 digits of 16 levels.

A 1x1 convolution to 256 channels, 4 causal ones of 11 taps with dilation 1, 2, 4, 8, and one with
dilation 16 to the logits; 2.93M parameters.

Paper: van den Oord et al. 2016, arXiv:1609.03499
Command: gm-jax train mnist12/arm_cnn1d
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.arm import ARM
from gm_jax.optimizer import Optimizer


def _data() -> Data:
    """All of MNIST, 12x12, 16 levels by the reference's rule: floor(15 x) of the resized floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        batch_size=16,
    )


def get_config() -> Experiment:
    return Experiment(
        data=_data(),
        model=ARM(
            channels=256,
            kernel_size=11,
            dilations=(1, 2, 4, 8, 16),
            slope=0.01,
            optimizer=Optimizer(
                name="adamax",
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=6_000,
                ema_decay=0.998,
            ),
        ),
        training=Training(num_steps=6_000, eval_every=1_000, sample_every=1_000),
        evaluation=Evaluation(checkpoint="best"),
    )


def two_thousand() -> Experiment:
    """On 1,900 images, chosen on 100: as many as the reference had, in smaller batches."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.optimizer.ema_decay": 0.99,
            "model.optimizer.schedule": "constant",
            "model.optimizer.decay_steps": None,
            "training.num_steps": 59_500,  # 500 epochs at most
            "training.eval_every": 119,
            "training.sample_every": 1_190,
            "training.patience": 20,
        }
    )


def reference() -> Experiment:
    """The reference's: batches of 64, a constant rate, no average, PyTorch's initial values."""
    return two_thousand().replace(
        **{
            "data.batch_size": 64,
            "model.initializer": "torch",
            "model.optimizer.ema_decay": None,
            "training.num_steps": 15_000,  # 500 epochs at most
            "training.eval_every": 30,
            "training.sample_every": 1_500,
        }
    )
