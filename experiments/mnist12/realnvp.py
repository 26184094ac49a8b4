"""RealNVP on 12x12 digits of 16 levels: 12 couplings on halves of the vector of 144 values.

A flip lies between the couplings; scale and shift are networks 72-256-256-72 each, 2.47M parameters
in all. The noise that fills the bins is learned.

Paper: Dinh et al. 2017, arXiv:1605.08803; Ho et al. 2019, arXiv:1902.00275 (the noise)
Command: gm-jax train mnist12/realnvp
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import VectorFlow
from gm_jax.optimizer import Optimizer


def _data() -> Data:
    """All of MNIST, 12x12, 16 levels by the reference's rule: floor(15 x) of the resized floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        batch_size=64,
    )


def get_config() -> Experiment:
    return Experiment(
        data=_data(),
        model=RealNVP(
            flow=VectorFlow(
                couplings=12,
                hidden=(256, 256),
                separate_nets=True,
                log_scale_limit=1.0,
                actnorm=False,
            ),
            dequantization="variational",
            dequantizer=VectorFlow(couplings=2, hidden=(256,), actnorm=False),
            optimizer=Optimizer(
                name="adamax",
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=60_000,
                ema_decay=0.999,
            ),
        ),
        training=Training(num_steps=60_000, eval_every=5_000, sample_every=10_000),
        evaluation=Evaluation(num_samples=50, checkpoint="best"),
    )


def reference() -> Experiment:
    """The reference's, with noise that fills the whole bin; it had noise of half the width."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.flow.slope": 0.01,
            "model.flow.initializer": "torch",
            "model.flow.zero_last": False,
            "model.dequantization": "uniform",
            "model.optimizer.schedule": "constant",
            "model.optimizer.decay_steps": None,
            "model.optimizer.ema_decay": None,
            "training.num_steps": 15_000,  # 500 epochs at most
            "training.eval_every": 30,
            "training.sample_every": 1_500,
            "training.patience": 20,
        }
    )
