"""Mixtures of 10 full Gaussians on 12x12 digits of 16 levels, one for each class, by EM.

11 batches are an epoch and one iteration. The floor is about the variance of the noise that
dequantizes 16 levels.

Paper: Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"
Command: gm-jax train mnist12/gmm
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def _data() -> Data:
    """All of MNIST, 12x12, 16 levels by the reference's rule: floor(15 x) of the resized floats."""
    return Data(
        source=Tfds("mnist"),
        train="train[:55000]",
        valid="train[55000:]",
        transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        batch_size=5000,
    )


def get_config() -> Experiment:
    return Experiment(
        data=_data(),
        model=GMM(
            num_components=10,
            per_class=True,
            accumulate_steps=11,
            variance_floor=2e-4,
            shrinkage=0.01,
        ),
        training=Training(  # 20 iterations
            num_steps=220, log_every=11, eval_every=55, checkpoint_every=55, sample_every=55
        ),
    )
