"""DDPM with a U-Net 12→6→3 on 12x12 digits of 16 levels.

64 channels, 128 where the skips join: 1.5M parameters, no attention. 16 levels, as in mnist12/arm,
flow and gan, so that bits/dim can be compared with theirs; the reference saw the floats.

Paper: Ho et al. 2020, arXiv:2006.11239
Command: gm-jax train mnist12/ddpm_unet
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer
from gm_jax.sampling import DiffusionSampling


def _data() -> Data:
    """All of MNIST, 12x12, 16 levels by the reference's rule: floor(15 x) of the resized floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        batch_size=64,
    )


def get_config() -> Experiment:
    return Experiment(
        data=_data(),
        model=DDPM(
            network=UNet(
                channels=64, multipliers=(1, 1, 1), num_blocks=1, attention=(), dropout=0.0
            ),
            num_steps=400,
            wave_octaves=4,
            sampling=DiffusionSampling(sampler_steps=50),
            optimizer=Optimizer(
                name="adamax",
                learning_rate=2e-3,
                schedule="cosine",
                decay_steps=6_000,
                ema_decay=0.999,
            ),
        ),
        training=Training(num_steps=6_000, eval_every=1_000, sample_every=1_000),
        evaluation=Evaluation(checkpoint="best"),
    )


def reference() -> Experiment:
    """The reference's, its schedule mended: 40 steps, 2,000 images, PyTorch's initial values."""
    return get_config().replace(
        **{
            "model.sampling.sampler_steps": None,
            "model.num_steps": 40,
            "model.wave_octaves": 0,
            "evaluation.num_samples": 1,
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.network.initializer": "torch",
            "model.network.zero_last": False,
            "model.optimizer.learning_rate": 1e-4,
            "model.optimizer.schedule": "constant",
            "model.optimizer.decay_steps": None,
            "model.optimizer.ema_decay": None,
            "training.num_steps": 75_000,  # 2,500 epochs at most
            "training.log_every": 30,
            "training.eval_every": 30,
            "training.sample_every": 7_500,
            "training.patience": 1_000,
        }
    )
