"""Features that need no run: random ones, and those of Inception-v3."""

from typing import Literal, cast, get_args

from gm_jax.data.spec import DataSpec
from gm_jax.errors import UserError
from gm_jax.evaluation.features import Features
from gm_jax.evaluation.inception.features import ResizeName, inception_features
from gm_jax.evaluation.random_features import RandomFeatures

FeaturesName = Literal[
    "random", "inception", "inception-tf1", "inception-pytorch", "inception-clean"
]
"""`RandomFeatures`, or `InceptionFeatures` with a resizing ("inception": that of TensorFlow 1)."""


def is_features_name(name: object) -> bool:
    """Whether it is one of `FeaturesName`."""
    return name in get_args(FeaturesName)


def named_features(name: FeaturesName, spec: DataSpec) -> Features:
    """The features of this name, for images of this spec.

    Raises:
      UserError: there are none of this name, or not for such data; or the weights of Inception-v3
        are not there (`gm_jax.evaluation.inception.weights.load_inception`).
    """
    if not is_features_name(name):
        known = ", ".join(get_args(FeaturesName))
        raise UserError(f"there are no features called {name}, but {known}, or a classifier's run")
    if name == "random":
        return RandomFeatures(spec)
    _, _, resize = name.partition("-")
    return inception_features(spec, cast(ResizeName, resize or "tf1"))
