"""RealNVP on CIFAR-10: 8 couplings of alternating checkerboards, nets of 3-64-64-3 channels.

Scale and shift have a network each, as in the reference; the scale is bounded, the levels are
dequantized and brought to the real line.

Paper: Dinh et al. 2017, arXiv:1605.08803
Command: gm-jax train cifar10/realnvp
Budget: 600 device-minutes
"""

from gm_jax.data import Data, HorizontalFlip, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import ImageFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("cifar10"),
            train="train[:40000]",
            valid="train[40000:]",
            transforms=(HorizontalFlip(),),
            batch_size=64,
        ),
        model=RealNVP(
            flow=ImageFlow(
                halvings=0,
                checkerboard=8,
                width=64,
                blocks=1,
                residual=False,
                separate_nets=True,
                activation="relu",
            ),
            dequantizer=ImageFlow(halvings=0, checkerboard=2, width=16, blocks=0, actnorm=False),
            optimizer=Optimizer(learning_rate=1e-3, clip_norm=1000.0),
        ),
        training=Training(num_steps=31_250, eval_every=625, sample_every=3125),  # 50 epochs
        evaluation=Evaluation(checkpoint="best"),
    )


def paper() -> Experiment:
    """The paper's: one halving, 64 maps and 8 residual blocks, no learned noise."""
    return get_config().replace(
        **{
            "model.flow": ImageFlow(
                halvings=1, checkerboard=(3, 4), channelwise=3, width=64, blocks=8
            ),
            "model.dequantization": "uniform",
            "training.num_steps": 312_500,  # 500 epochs
            "training.eval_every": 6250,
            "training.sample_every": 31_250,
        }
    )
