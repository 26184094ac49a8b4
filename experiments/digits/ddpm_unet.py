"""Conditional DDPM with a small U-Net on real 8x8 digits: digits on demand, in few steps.

gm-jax sample runs/digits/ddpm_unet --label 7 --sampler ddim --sampler-steps 10 --guidance 2

Trained with labels, of which a tenth is left out, so its bits/dim are those of p(x|y).

Paper: Ho et al. 2020, arXiv:2006.11239; Ho & Salimans 2022, arXiv:2207.12598
Command: gm-jax train digits/ddpm_unet
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer
from gm_jax.sampling import DiffusionSampling


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", batch_size=64),
        model=DDPM(
            network=UNet(channels=32, multipliers=(1, 2), num_blocks=1, attention=(), dropout=0.1),
            num_steps=1000,
            schedule="cosine",
            prediction="v",
            conditional=True,
            label_dropout=0.1,
            wave_octaves=4,
            sampling=DiffusionSampling(sampler_steps=100),
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=7000, ema_decay=0.999
            ),
        ),
        training=Training(num_steps=7000, eval_every=1000, sample_every=2000),
        evaluation=Evaluation(num_samples=1),
    )
