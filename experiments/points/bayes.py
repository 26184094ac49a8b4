"""A Gaussian for each class of a table of your own, and Bayes' rule.

gm-jax train points/bayes --data.path my.csv --data.label species

Without a path it learns scikit-learn's iris, the table that Fisher had. The fit is that of all rows
seen: a table of more than 100,000 needs more steps than these 100.

Paper: Fisher 1936, "The use of multiple measurements in taxonomic problems"
Command: gm-jax train points/bayes --data.path my.csv --data.label species
"""

from gm_jax.data import PointData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.bayes import Bayes


def get_config() -> Experiment:
    return Experiment(
        data=PointData(standardize=True, batch_size=1000),
        model=Bayes(variance_floor=1e-3),
        training=Training(
            num_steps=100, log_every=10, eval_every=20, checkpoint_every=20, sample_every=50
        ),
    )
