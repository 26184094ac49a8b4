"""A full Gaussian for each class of MNIST, and Bayes' rule: one pass over the data is the fit.

The variance floor is a choice between two ends. This one, 0.05 on [0, 1], is for the classifier.

Paper: Fisher 1936, "The use of multiple measurements in taxonomic problems"
Command: gm-jax train mnist/bayes
"""

from gm_jax.data import Data, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.bayes import Bayes


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"), train="train[:55000]", valid="train[55000:]", batch_size=5000
        ),
        model=Bayes(variance_floor=0.05),
        training=Training(  # 11 batches are an epoch
            num_steps=11, log_every=1, eval_every=11, checkpoint_every=11, sample_every=11
        ),
    )


def likely() -> Experiment:
    """A small floor and little shrinkage, for the likelihood instead of the classifier."""
    return get_config().replace(**{"model.variance_floor": 1e-6, "model.shrinkage": 3e-4})
