"""RealNVP on 12x12 digits of 16 levels: 12 couplings on halves of the vector of 144 values.

A flip lies between the couplings; scale and shift are networks 72-256-256-72 each, 2.47M parameters
in all. The reference trained on 2,000 images:
--data.train "train[:1900]" --data.valid "train[1900:2000]" --training.eval-every 30
Learned noise is better than uniform noise: --model.dequantization variational

Paper: Dinh et al. 2017, arXiv:1605.08803
Command: gm-jax train mnist12/realnvp
Minutes: not run in full yet
Score: not run in full yet; the 2,000 images: validation 1.45 bits/dim (bound) after 1,200 steps,
  1.34 with 50 draws; 1.39 after 600 steps with variational noise; the reference: about 2.00
"""

from gm_jax.data import Data, Quantize, Resize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.realnvp import RealNVP
from gm_jax.nets.flows import VectorFlow
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(Resize(12), Quantize(16)),
            batch_size=64,
        ),
        model=RealNVP(
            flow=VectorFlow(
                couplings=12,
                hidden=(256, 256),
                separate_nets=True,
                log_scale_limit=1.0,
                actnorm=False,
            ),
            dequantizer=VectorFlow(couplings=2, hidden=(256,), actnorm=False),
            optimizer=Optimizer(name="adamax", learning_rate=1e-3),
        ),
        training=Training(
            num_steps=430_000,  # 500 epochs at most
            log_every=860,
            eval_every=860,
            checkpoint_every=0,
            sample_every=8600,
            patience=20,
        ),
        evaluation=Evaluation(num_samples=50, checkpoint="best"),
    )
