"""A full Gaussian for each class of 12x12 digits of 16 levels: one pass over the data is the fit.

Paper: Fisher 1936, "The use of multiple measurements in taxonomic problems"
Command: gm-jax train mnist12/bayes
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.bayes import Bayes


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
        model=Bayes(shrinkage=0.01, shrink_to="class", variance_floor=2e-4),
        training=Training(  # 11 batches are an epoch
            num_steps=11, log_every=1, eval_every=11, checkpoint_every=11, sample_every=11
        ),
    )
