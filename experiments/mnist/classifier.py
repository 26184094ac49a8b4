"""Convolutional classifier of MNIST: reads the labels of generated digits.

gm-jax evaluate runs/mnist/cgan --classifier runs/mnist/classifier

Paper: LeCun et al. 1998, "Gradient-based learning applied to document recognition"
Command: gm-jax train mnist/classifier
"""

from gm_jax.data import Data, RandomResizedCrop, RandomRotation, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("mnist"),
            train="train[:55000]",
            valid="train[55000:]",
            transforms=(RandomRotation(10.0), RandomResizedCrop((0.8, 1.0))),
        ),
        model=Classifier(
            features=(32, 64),
            kernel_size=5,
            dense=256,
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=4300, weight_decay=0.01
            ),
        ),
        training=Training(num_steps=4300, eval_every=430, checkpoint_every=430, sample_every=0),
    )
