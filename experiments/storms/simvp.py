"""SimVP on synthetic storms: the next three frames, at the times asked for.

An eighth of the paper's width, so that it trains on one CPU core.

Paper: Gao et al. 2022, arXiv:2206.05099; Tan et al. 2022, arXiv:2211.12509
Command: gm-jax train storms/simvp
Your own: gm-jax train storms/simvp --data.path my_storms --data.size 64
"""

from gm_jax.data import StormData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.simvp import SimVP
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=StormData(size=64, batch_size=16),
        model=SimVP(
            width=16,
            depth=4,
            hidden=64,
            num_blocks=4,
            mlp_ratio=2,
            num_maps=6,
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
