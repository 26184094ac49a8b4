"""PixelCNN on 12x12 digits of 16 levels.

A masked 11x11 convolution to 128 channels, 5 residual blocks (1x1 to 64, masked 3x3, 1x1) and two
1x1 convolutions before the logits; 318k parameters.

Paper: van den Oord et al. 2016, arXiv:1601.06759
Command: gm-jax train mnist12/arm_pixelcnn
Minutes: not run in full yet; 7 (a CPU core) for 4,000 steps with the overrides in docs/results.md;
  the 2,000 images: 45
Score: after these 4,000 steps: test 0.880 bits/dim (exact); the variant two_thousand:
  validation 0.9365; the reference: 0.936
"""

from gm_jax.data import Data, Quantize, Resize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.pixelcnn import PixelCNN
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(Resize(12), Quantize(16)),
            batch_size=64,
        ),
        model=PixelCNN(
            channels=128,
            first_kernel=11,
            kernel_size=3,
            num_blocks=5,
            output_layers=2,
            optimizer=Optimizer(name="adamax", learning_rate=5e-4),
        ),
        training=Training(
            num_steps=430_000,  # 500 epochs at most
            log_every=860,
            eval_every=860,
            checkpoint_every=0,
            sample_every=8600,
            patience=20,
        ),
        evaluation=Evaluation(checkpoint="best"),
    )


def two_thousand() -> Experiment:
    """On 1,900 images, chosen on 100: as many as the reference had, in smaller batches."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "data.batch_size": 16,
            "model.optimizer.ema_decay": 0.998,
            "model.optimizer.weight_decay": 0.3,
            "training.eval_every": 119,
        }
    )
