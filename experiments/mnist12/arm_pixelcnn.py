"""PixelCNN on 12x12 digits of 16 levels.

A masked 11x11 convolution to 128 channels, 5 residual blocks (1x1 to 64, masked 3x3, 1x1) and two
1x1 convolutions before the logits; 318k parameters.

Paper: van den Oord et al. 2016, arXiv:1601.06759
Command: gm-jax train mnist12/arm_pixelcnn
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
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
        model=PixelCNN(
            channels=128,
            first_kernel=11,
            kernel_size=3,
            num_blocks=5,
            output_layers=2,
            optimizer=Optimizer(
                name="adamax",
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=24_000,
                ema_decay=0.998,
            ),
        ),
        training=Training(num_steps=24_000, eval_every=2_000, sample_every=2_000),
        evaluation=Evaluation(checkpoint="best"),
    )


def two_thousand() -> Experiment:
    """On 1,900 images, chosen on 100: as many as the reference had, in smaller batches."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.optimizer.learning_rate": 5e-4,
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
            "model.visible_fan_in": False,
            "model.optimizer.ema_decay": None,
            "training.num_steps": 15_000,  # 500 epochs at most
            "training.eval_every": 30,
            "training.sample_every": 1_500,
        }
    )
