"""DDPM with 40 steps and a U-Net 12→6→3 on 12x12 digits of 16 levels.

64 channels, 128 where the skips join: 1.5M parameters. 16 levels, as in mnist12/arm, flow and gan,
so that bits/dim can be compared with theirs. The reference trained on 2,000 images:
--data.train "train[:1900]" --data.valid "train[1900:2000]" --training.eval-every 30

Paper: Ho et al. 2020, arXiv:2006.11239
Command: gm-jax train mnist12/ddpm_unet
Minutes: not run in full yet
Score: not run in full yet
"""

from gm_jax.data import Data, Quantize, Resize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
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
        model=DDPM(
            network=UNet(
                channels=64, multipliers=(1, 1, 1), num_blocks=1, attention=(), dropout=0.0
            ),
            num_steps=40,
            optimizer=Optimizer(name="adamax", learning_rate=1e-3, ema_decay=0.999),
        ),
        training=Training(
            num_steps=430_000,  # 500 epochs at most
            log_every=860,
            eval_every=860,
            checkpoint_every=0,
            sample_every=8600,
            patience=20,
        ),
        evaluation=Evaluation(num_samples=1, checkpoint="best"),
    )
