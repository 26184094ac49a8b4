"""DDPM with a small U-Net on arrays of your own: images of any size, 1 to 16 channels.

Paper: Ho et al. 2020, arXiv:2006.11239
Command: gm-jax train arrays/ddpm --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer
from gm_jax.sampling import DiffusionSampling


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=DDPM(
            # Attention where the map is smallest, whatever its height.
            network=UNet(
                channels=32,
                multipliers=(1, 2, 2),
                num_blocks=1,
                attention=(),
                middle_attention=True,
            ),
            schedule="cosine",
            prediction="v",
            sampling=DiffusionSampling(sampler_steps=100),
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=7000, ema_decay=0.999
            ),
        ),
        training=Training(num_steps=7000, eval_every=1000, sample_every=2000),
        evaluation=Evaluation(batch_size=250),
    )
