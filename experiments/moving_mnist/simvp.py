"""SimVP on Moving MNIST: ten frames of two bouncing digits from the ten before.

The published errors are sums over the 64x64 pixels of a frame: 4096 times our mse.

Narrow, and with squares of 4x4 pixels as places, so that it trains on a CPU as far as an hour goes.

Paper: Gao et al. 2022, arXiv:2206.05099; Tan et al. 2022, arXiv:2211.12509
Command: gm-jax train moving_mnist/simvp
"""

from gm_jax.data import MovingMnistData
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.functional.forecast_losses import ForecastLoss
from gm_jax.models.simvp import SimVP
from gm_jax.optimizer import Optimizer


def paper() -> Experiment:
    """SimVPv2's: 64 and 512 channels, 8 blocks, and 200 epochs of 10,000 sequences.

    Budget: 2400 device-minutes
    """
    return Experiment(
        data=MovingMnistData(batch_size=16),
        model=SimVP(
            hidden=512,
            norm="batch",
            time_scale=5.0,  # frames are a second apart
            head="frame",
            loss=ForecastLoss(ssim=0.0, l2=1.0),
            optimizer=Optimizer(
                learning_rate=1e-3,
                schedule="cosine",
                warmup_steps=5000,
                decay_steps=125_000,
            ),
        ),
        training=Training(
            num_steps=125_000,
            log_every=200,
            eval_every=2500,
            checkpoint_every=2500,
            sample_every=25_000,
        ),
        evaluation=Evaluation(batch_size=50, checkpoint="best"),
    )


def tau() -> Experiment:
    """The temporal attention unit instead (Tan et al. 2023, arXiv:2206.12126).

    Budget: 2400 device-minutes
    """
    return paper().replace(**{"model.block": "tau"})


def get_config() -> Experiment:
    """Learned by cross-entropy: squared error pulls little at the black image, where it begins."""
    return paper().replace(
        **{
            "data.batch_size": 8,
            "model.width": 16,
            "model.depth": 1,
            "model.patch": 4,
            "model.hidden": 160,
            "model.num_blocks": 4,
            "model.mlp_ratio": 2,
            "model.norm": "group",
            "model.loss": ForecastLoss(ssim=0.0, cross_entropy=1.0),
            "model.optimizer.learning_rate": 2e-3,
            "model.optimizer.warmup_steps": 100,
            "model.optimizer.decay_steps": 6000,
            "model.optimizer.clip_norm": 1.0,
            "training.num_steps": 6000,
            "training.log_every": 50,
            "training.eval_every": 1000,
            "training.checkpoint_every": 250,
            "training.sample_every": 1000,
        }
    )
