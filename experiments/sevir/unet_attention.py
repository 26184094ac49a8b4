"""U-Net with self-attention on SEVIR: vis, ir069 and ir107 into the radar's vil.

The folder `sevir` holds the .h5 files of the four types; --data.path names another one.
A reference system reports MAE 0.0656 and SSIM 0.50 on its validation set (a plain U-Net 0.11).

Paper: Veillette et al. 2020 (SEVIR, NeurIPS 33); Ronneberger et al. 2015, arXiv:1505.04597
Command: gm-jax train sevir/unet_attention
Budget: 600 device-minutes
"""

from gm_jax.data import SevirData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=SevirData("sevir", batch_size=8),
        model=UNetAttention(
            optimizer=Optimizer(
                learning_rate=3e-4,
                schedule="cosine",
                warmup_steps=500,
                decay_steps=50_000,
                clip_norm=1.0,
            ),
        ),
        training=Training(
            num_steps=50_000,
            log_every=100,
            eval_every=2500,
            checkpoint_every=1000,
            sample_every=10_000,
        ),
        evaluation=Evaluation(batch_size=16, checkpoint="best"),
    )
