"""Dilated causal convolutions over the 144 values of 12x12 digits of 16 levels.

A 1x1 convolution to 256 channels, 4 causal ones of 11 taps with dilation 1, 2, 4, 8, and one with
dilation 16 to the logits; 2.93M parameters. The reference trained
on 2,000 images, which these overrides repeat:
--data.train "train[:1900]" --data.valid "train[1900:2000]" --training.eval-every 30

Paper: van den Oord et al. 2016, arXiv:1609.03499
Command: gm-jax train mnist12/arm_cnn1d
Minutes: not run in full yet; the 2,000 images: 23 (a shared CPU core)
Score: the 2,000 images, with --data.batch-size 16 --model.optimizer.ema-decay 0.99
  --training.eval-every 119: validation 0.9358 bits/dim (exact); the reference: 0.936
"""

from gm_jax.data import Data, Quantize, Resize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.arm import ARM
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
        model=ARM(
            channels=256,
            kernel_size=11,
            dilations=(1, 2, 4, 8, 16),
            optimizer=Optimizer(name="adamax", learning_rate=1e-3),
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
