"""A Gaussian for each class of real 8x8 digits, and Bayes' rule: fitted in one step.

The prior has the variances of all data, which makes the better classifier.

Paper: Fisher 1936, "The use of multiple measurements in taxonomic problems"
Command: gm-jax train digits/bayes
"""

from gm_jax.data import Data, Digits
from gm_jax.experiment import Experiment, Training
from gm_jax.models.bayes import Bayes


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Digits(), train="train[:90%]", valid="train[90%:]", test="test", batch_size=1347
        ),
        model=Bayes(shrinkage=0.03, shrink_to="data", variance_floor=1e-4),
        training=Training(num_steps=1, log_every=1, eval_every=1, sample_every=1),
    )


def likely() -> Experiment:
    """A prior of each class's own variances, for the likelihood instead of the classifier."""
    return get_config().replace(
        **{"model.shrink_to": "class", "model.shrinkage": 0.1, "model.variance_floor": 2e-4}
    )
