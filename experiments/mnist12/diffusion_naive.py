"""Dense diffusion with 12 steps on 12x12 digits of 16 levels.

16 levels, as in mnist12/arm, flow and gan, so that bits/dim can be compared with theirs; the
reference saw the floats, which were not centred.

Paper: Sohl-Dickstein et al. 2015, arXiv:1503.03585
Command: gm-jax train mnist12/diffusion_naive
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Evaluation, Experiment, Training
from gm_jax.models.diffusion_naive import NaiveDiffusion
from gm_jax.nets.denoisers import DenseDenoiser
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
        model=NaiveDiffusion(
            network=DenseDenoiser(hidden=(256, 256), activation="leaky_relu", slope=0.01),
            num_steps=12,
            optimizer=Optimizer(
                name="adamax",
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=43_000,
                ema_decay=0.999,
            ),
        ),
        training=Training(
            num_steps=43_000,  # 50 epochs
            log_every=430,
            eval_every=4_300,
            checkpoint_every=0,
            sample_every=4_300,
        ),
        evaluation=Evaluation(num_samples=10, checkpoint="best"),
    )


def reference() -> Experiment:
    """The reference's, its schedule, scale and KL mended, on 2,000 images."""
    return get_config().replace(
        **{
            "data.train": "train[:1900]",
            "data.valid": "train[1900:2000]",
            "model.network.initializer": "torch",
            "model.network.zero_last": False,
            "model.optimizer.schedule": "constant",
            "model.optimizer.decay_steps": None,
            "model.optimizer.ema_decay": None,
            "training.num_steps": 75_000,  # 2,500 epochs at most
            "training.log_every": 30,
            "training.eval_every": 30,
            "training.sample_every": 7_500,
            "training.patience": 20,
        }
    )
