"""ConvLSTM on Moving MNIST: ten frames of two bouncing digits from the ten before.

The published errors are sums over the 64x64 pixels of a frame: 4096 times our mse.

Narrow, and with batches of 8, so that it trains on a CPU as far as an hour goes.

Paper: Shi et al. 2015, arXiv:1506.04214; the data: Srivastava et al. 2015, arXiv:1502.04681
Command: gm-jax train moving_mnist/convlstm
"""

from gm_jax.data import MovingMnistData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.optimizer import Optimizer


def paper() -> Experiment:
    """Three layers of 128, 64 and 64 channels, and 200 epochs of 10,000 sequences."""
    return Experiment(
        data=MovingMnistData(batch_size=32),
        model=ConvLSTM(
            hidden=(128, 64, 64),
            dropout=0.0,
            time_scale=5.0,  # frames are a second apart
            loss=ForecastLoss(ssim=0.0, l2=1.0),
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                warmup_steps=500,
                decay_steps=60_000,
                clip_norm=1.0,
            ),
        ),
        training=Training(
            num_steps=60_000,
            log_every=200,
            eval_every=2000,
            checkpoint_every=1000,
            sample_every=10_000,
        ),
        evaluation=Evaluation(batch_size=50, checkpoint="best"),
    )


def get_config() -> Experiment:
    """Learned by cross-entropy, as in Shi et al."""
    return paper().replace(
        **{
            "data.batch_size": 8,
            "model.widths": (16, 32),
            "model.hidden": (64, 64),
            "model.head": "frame",
            "model.loss": ForecastLoss(ssim=0.0, cross_entropy=1.0),
            "model.optimizer.learning_rate": 2e-3,
            "model.optimizer.warmup_steps": 100,
            "model.optimizer.decay_steps": 1000,
            "training.num_steps": 1000,
            "training.log_every": 50,
            "training.eval_every": 250,
            "training.checkpoint_every": 100,
            "training.sample_every": 500,
        }
    )
