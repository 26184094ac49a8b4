"""CAE-ConvLSTM on synthetic storms: the next three frames, at the times asked for.

Half the ConvLSTM widths of the reference, so that it trains on one CPU core.

Paper: Shi et al. 2015, arXiv:1506.04214
Command: gm-jax train storms/cae_convlstm
Your own: gm-jax train storms/cae_convlstm --data.path my_storms --data.size 64
"""

from gm_jax.data import StormData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=StormData(size=64, batch_size=8),
        model=ConvLSTM(
            encoder="cae",
            hidden=(64, 32),
            dropout=0.0,
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
    """The reference's: full widths, norm over the batch, dropout, −SSIM alone, frames made anew."""
    return get_config().replace(
        **{
            "data.batch_size": 16,
            "model.hidden": (128, 64),
            "model.dropout": 0.2,
            "model.norm": "batch",
            "model.head": "frame",
            "model.initializer": "torch",
            "model.loss": ForecastLoss(ssim=1.0),
            "model.optimizer": Optimizer(learning_rate=1e-3),
        }
    )
