"""The builders by the names that TFDS gives them."""

from typing import Any

from gm_jax.data.store.public.binarized_mnist_builder import BinarizedMnist
from gm_jax.data.store.public.cifar_builders import Cifar10, Cifar100
from gm_jax.data.store.public.idx_builders import Emnist, FashionMnist, Kmnist, Mnist
from gm_jax.data.store.public.omniglot_builder import Omniglot

_ALL: tuple[Any, ...] = (
    Mnist,
    FashionMnist,
    Kmnist,
    Emnist,
    Cifar10,
    Cifar100,
    BinarizedMnist,
    Omniglot,
)
BUILDERS = {builder.name: builder for builder in _ALL}
