"""Mixtures of 5 full Gaussians on MNIST, one mixture for each class, by EM.

gm-jax sample runs/mnist/gmm --label 7

11 batches are an epoch and one iteration. A checkpoint takes 250 MB: 50 covariances of 784 x 784,
and their sufficient statistics. The prior has the variances of each class's own examples, and the
floor is about the variance of the noise that dequantizes 256 levels.

Paper: Dempster, Laird & Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"
Command: gm-jax train mnist/gmm
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.gmm import GMM


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=5000
        ),
        model=GMM(
            num_components=5,
            per_class=True,
            accumulate_steps=11,
            variance_floor=1e-6,
            shrinkage=0.01,
        ),
        training=Training(  # 10 iterations
            num_steps=110, log_every=11, eval_every=55, checkpoint_every=55, sample_every=55
        ),
    )
