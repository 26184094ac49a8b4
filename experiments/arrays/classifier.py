"""Convolutional classifier of arrays of your own: reads the labels of generated ones.

gm-jax evaluate runs/arrays/gmm --classifier runs/arrays/classifier

Paper: LeCun et al. 1998, "Gradient-based learning applied to document recognition"
Command: gm-jax train arrays/classifier --data.path my.npz
"""

from gm_jax.data import ArrayData
from gm_jax.experiment import Experiment, Training
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=ArrayData(batch_size=64),
        model=Classifier(
            features=(32, 64),
            dense=128,
            optimizer=Optimizer(learning_rate=1e-3, schedule="cosine", decay_steps=1500),
        ),
        training=Training(num_steps=1500, eval_every=250, checkpoint_every=250, sample_every=0),
    )
