"""DDPM on CIFAR-10 with the U-Net of the paper, 35.7M parameters.

The paper trains on all 50,000 images and reports an FID of 3.17 and at most 3.75 bits/dim; here
5,000 of them are for validation.

Paper: Ho et al. 2020, arXiv:2006.11239
Command: gm-jax train cifar10/ddpm
Budget: 600 device-minutes
"""

from gm_jax.data import Data, HorizontalFlip, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("cifar10"),
            train="train[:45000]",
            valid="train[45000:]",
            transforms=(HorizontalFlip(),),
            batch_size=128,
        ),
        model=DDPM(
            network=UNet(
                channels=128, multipliers=(1, 2, 2, 2), num_blocks=2, attention=(16,), dropout=0.1
            ),
            num_steps=1000,
            schedule="linear",
            prediction="epsilon",
            learn_decoder_scale=False,
            optimizer=Optimizer(
                learning_rate=2e-4, warmup_steps=5000, clip_norm=1.0, ema_decay=0.9999
            ),
        ),
        training=Training(
            num_steps=800_000,
            log_every=500,
            eval_every=20_000,
            checkpoint_every=5000,
            sample_every=20_000,
        ),
        evaluation=Evaluation(batch_size=128),
    )
