"""U-Net with self-attention on synthetic storms: frames at the times asked for, one at a time.

A quarter of the width of the reference, and a level less, so that it trains on one CPU core.

Paper: Ronneberger et al. 2015, arXiv:1505.04597; Vaswani et al. 2017, arXiv:1706.03762
Command: gm-jax train storms/unet_attention
Your own: gm-jax train storms/unet_attention --data.path my_storms --data.size 64
"""

from gm_jax.data import StormData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.unet_attention import UNetAttention
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=StormData(size=64, batch_size=8),
        model=UNetAttention(
            width=16,
            depth=3,
            num_heads=2,
            loss=ForecastLoss(ssim=1.0, l1=1.0),
            optimizer=Optimizer(
                learning_rate=2e-3,
                schedule="cosine",
                warmup_steps=30,
                decay_steps=300,
                clip_norm=1.0,
            ),
        ),
        training=Training(num_steps=300, eval_every=100, checkpoint_every=100, sample_every=100),
        evaluation=Evaluation(batch_size=100, checkpoint="best"),
    )


def reference() -> Experiment:
    """The reference's: 64 channels and 4 levels, norm over the batch, frames made anew.

    Budget: 240 core-minutes
    """
    return get_config().replace(
        **{
            "data.batch_size": 16,
            "model.width": 64,
            "model.depth": 4,
            "model.num_heads": 4,
            "model.norm": "batch",
            "model.head": "frame",
            "model.initializer": "torch",
            "model.loss": ForecastLoss(ssim=1.0),
            "model.optimizer": Optimizer(learning_rate=1e-3),
        }
    )
