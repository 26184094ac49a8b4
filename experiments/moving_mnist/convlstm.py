"""ConvLSTM on Moving MNIST: ten frames of two bouncing digits from the ten before.

The published errors are sums over the 64x64 pixels of a frame: 4096 times our mse.

On a CPU: --model.hidden 64 64 --model.widths 16 32 --data.batch-size 8

Paper: Shi et al. 2015, arXiv:1506.04214; the data: Srivastava et al. 2015, arXiv:1502.04681
Command: gm-jax train moving_mnist/convlstm
"""

from gm_jax.data import Data, MovingMnist
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.convlstm import ConvLSTM
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=MovingMnist(), train="train", valid="validation", test="test", batch_size=32
        ),
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
        evaluation=Evaluation(batch_size=50),
    )
