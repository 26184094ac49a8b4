"""Convolutional classifier of 12x12 digits of 16 levels: reads the labels of generated ones.

gm-jax evaluate runs/mnist12/gan --classifier runs/mnist12/classifier

Paper: LeCun et al. 1998, "Gradient-based learning applied to document recognition"
Command: gm-jax train mnist12/classifier
"""

from gm_jax.data import Data, ResizeQuantize, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(ResizeQuantize(12, 16, bins="top_alone"),),
        ),
        model=Classifier(
            features=(32, 64),
            dense=128,
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=4300, weight_decay=0.01
            ),
        ),
        training=Training(num_steps=4300, eval_every=430, checkpoint_every=430, sample_every=0),
    )
