"""Dense diffusion with 12 steps on real 8x8 digits.

Paper: Sohl-Dickstein et al. 2015, arXiv:1503.03585
Command: gm-jax train digits/diffusion_naive
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.diffusion_naive import NaiveDiffusion
from gm_jax.nets.denoisers import DenseDenoiser
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(source=Digits(), train="train[:90%]", valid="train[90%:]", batch_size=64),
        model=NaiveDiffusion(
            network=DenseDenoiser(hidden=(256, 256), activation="leaky_relu"),
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=6000, ema_decay=0.995
            ),
        ),
        training=Training(num_steps=6000, eval_every=500, sample_every=1000),
        evaluation=Evaluation(num_samples=10, checkpoint="best"),
    )
