"""CNN-ConvLSTM on sequences of your own: frames at the times asked for.

gm-jax train sequences/cnn_convlstm --data.path my.npz --data.context 4 --data.targets 3

my.npz has "frames" uint8 [N, T, H, W, C] or [N, T, H, W], and "times" [T] or [N, T] in seconds;
--model.time-scale is to be of the order of their intervals (3600 unless given). Without a path it
learns synthetic storms.

Paper: Shi et al. 2015, arXiv:1506.04214
Command: gm-jax train sequences/cnn_convlstm --data.path my.npz
"""

from gm_jax.data import SequenceData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=SequenceData(batch_size=16),
        model=ConvLSTM(
            encoder="cnn",
            hidden=(64, 32),
            dropout=0.0,
            loss=ForecastLoss(ssim=1.0, l1=1.0),
            optimizer=Optimizer(
                learning_rate=2e-3,
                schedule="cosine",
                warmup_steps=50,
                decay_steps=1500,
                clip_norm=1.0,
            ),
        ),
        training=Training(num_steps=1500, eval_every=250, checkpoint_every=250, sample_every=500),
        evaluation=Evaluation(batch_size=100, checkpoint="best"),
    )
