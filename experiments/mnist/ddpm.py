"""Conditional DDPM on MNIST: digits on demand, with guidance.

gm-jax sample runs/mnist/ddpm --label 7 --sampler dpm_solver_pp_2m --sampler-steps 20 --guidance 2

Paper: Ho et al. 2020, arXiv:2006.11239; Ho & Salimans 2022, arXiv:2207.12598
Command: gm-jax train mnist/ddpm
Budget: 240 core-minutes
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=64
        ),
        model=DDPM(
            # 28x28x16, 14x14x32, 7x7x64
            network=UNet(channels=16, multipliers=(1, 2, 4), attention=(7,)),
            schedule="cosine",
            conditional=True,
            label_dropout=0.1,
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                warmup_steps=500,
                decay_steps=12_000,
                ema_decay=0.9995,
            ),
        ),
        training=Training(
            num_steps=12_000,  # 14 epochs
            log_every=100,
            eval_every=1500,
            checkpoint_every=500,
            sample_every=3000,
        ),
        evaluation=Evaluation(batch_size=250),
    )


def paper() -> Experiment:
    """64 to 128 channels, attention at 14x14 too, and 100 epochs, for an accelerator."""
    return get_config().replace(
        **{
            "data.batch_size": 128,
            "model.network": UNet(channels=64, multipliers=(1, 2, 2), attention=(14, 7)),
            "model.optimizer": Optimizer(learning_rate=2e-4, warmup_steps=500, ema_decay=0.9995),
            "training.num_steps": 43_000,
            "training.eval_every": 4300,
            "training.sample_every": 8600,
        }
    )
