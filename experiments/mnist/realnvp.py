"""Multi-scale RealNVP on MNIST with learned noise and gated networks, narrow enough for a CPU.

One coupling of the image and two of the noise have 28x28 maps; all others have 14x14 or 7x7.

Paper: Dinh et al. 2017, arXiv:1605.08803; noise: Ho et al. 2019, arXiv:1902.00275
Command: gm-jax train mnist/realnvp
Budget: 240 core-minutes
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import ImageFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=32
        ),
        model=RealNVP(
            flow=ImageFlow(
                halvings=2,
                checkerboard=(1, 2, 6),
                channelwise=(3, 6),
                width=(8, 16, 32),
                blocks=1,
                gated=True,
            ),
            dequantization="variational",
            dequantizer=ImageFlow(halvings=0, checkerboard=2, width=8, blocks=0, actnorm=False),
            alpha=1e-3,
            optimizer=Optimizer(
                learning_rate=2e-3,
                schedule="cosine",
                warmup_steps=200,
                decay_steps=51_600,
                clip_norm=1000.0,
                ema_decay=0.999,
            ),
        ),
        training=Training(
            num_steps=51_600,  # 30 epochs
            log_every=100,
            eval_every=3440,
            checkpoint_every=860,
            sample_every=3440,
        ),
        evaluation=Evaluation(num_samples=20, checkpoint="best"),
    )


def paper() -> Experiment:
    """64 channels and two blocks at every scale, and 200 epochs, for an accelerator."""
    return get_config().replace(
        **{
            "data.batch_size": 128,
            "model.flow": ImageFlow(
                halvings=2,
                checkerboard=(2, 3, 6),
                channelwise=(4, 6),
                width=(32, 64, 64),
                blocks=2,
                gated=True,
            ),
            "model.dequantizer": ImageFlow(
                halvings=0, checkerboard=4, width=32, blocks=1, gated=True, actnorm=False
            ),
            "model.optimizer.learning_rate": 1e-3,
            "model.optimizer.decay_steps": 86_000,
            "training.num_steps": 86_000,  # 200 epochs
            "training.eval_every": 4300,
            "training.sample_every": 8600,
        }
    )
