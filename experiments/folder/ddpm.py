"""DDPM on a folder (or tar, or zip) of your own images, at any size.

gm-jax train folder/ddpm --data.path my_images --data.size 48 64

Half the width of the network of the paper. On a CPU take --model.network.channels 32. Pictures are
drawn by the solver of Lu et al. 2022 in 50 steps.

Paper: Ho et al. 2020, arXiv:2006.11239; Lu et al. 2022, arXiv:2211.01095
Command: gm-jax train folder/ddpm --data.path my_images
"""

from gm_jax.data import HorizontalFlip, ImageData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.ddpm import DDPM
from gm_jax.nets.unet import UNet
from gm_jax.optimizer import Optimizer
from gm_jax.sampling import DiffusionSampling


def get_config() -> Experiment:
    return Experiment(
        data=ImageData(size=64, augment=(HorizontalFlip(),), batch_size=32),
        model=DDPM(
            network=UNet(channels=64, multipliers=(1, 2, 2, 2), num_blocks=2, attention=(16,)),
            num_steps=1000,
            schedule="cosine",
            sampling=DiffusionSampling(sampler="dpm_solver_pp_2m", sampler_steps=50),
            optimizer=Optimizer(
                learning_rate=2e-4, warmup_steps=500, clip_norm=1.0, ema_decay=0.9995
            ),
        ),
        training=Training(
            num_steps=50_000,
            log_every=50,
            eval_every=1000,
            checkpoint_every=500,
            sample_every=1000,
        ),
        evaluation=Evaluation(num_samples=0),
    )
