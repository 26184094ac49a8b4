"""Convolutional classifier of CIFAR-10: reads the labels of generated pictures.

gm-jax evaluate runs/cifar10/dcgan --classifier runs/cifar10/classifier

Paper: LeCun et al. 1998, "Gradient-based learning applied to document recognition"
Command: gm-jax train cifar10/classifier
"""

from gm_jax.data import Data, HorizontalFlip, RandomResizedCrop, Tfds
from gm_jax.experiment import Experiment, Training
from gm_jax.models.classifier import Classifier
from gm_jax.optimizer import Optimizer


def get_config() -> Experiment:
    return Experiment(
        data=Data(
            source=Tfds("cifar10"),
            train="train[:45000]",
            valid="train[45000:]",
            transforms=(HorizontalFlip(), RandomResizedCrop((0.7, 1.0))),
        ),
        model=Classifier(
            features=(64, 128, 256),
            dense=256,
            optimizer=Optimizer(
                learning_rate=1e-3, schedule="cosine", decay_steps=5270, weight_decay=0.01
            ),
        ),
        training=Training(num_steps=5270, eval_every=1054, sample_every=0),  # 15 epochs
    )
