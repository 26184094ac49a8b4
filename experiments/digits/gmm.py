"""Mixtures of Gaussians on real 8x8 digits, one for each class: samples by label, and a classifier.

A batch is the whole training set, so that each step is one iteration of EM. The prior has the
variances of each class's own examples: those of all data are many times what a pixel varies by
within a class, and leave no use for a second Gaussian. The floor is about the variance of the noise
that dequantizes 17 levels.

Paper: Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"
Command: gm-jax train digits/gmm
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Digits(), train="train[:90%]", valid="train[90%:]", test="test", batch_size=1347
        ),
        model=GMM(num_components=2, per_class=True, shrinkage=0.1, variance_floor=2e-4),
        training=Training(
            num_steps=20, log_every=1, eval_every=5, checkpoint_every=5, sample_every=5
        ),
    )
