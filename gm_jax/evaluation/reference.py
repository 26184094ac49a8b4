"""Features of the images of a split, kept in the user's cache."""

import hashlib
from typing import NamedTuple

import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.data.store.kept import kept
from gm_jax.evaluation.features import Embedded, Features

_FORMAT = 1  # goes up when features of one name come out otherwise than before


class Reference(NamedTuple):
    """Images of a split, with what features say of them.

    Attributes:
      images: levels [N, H, W, C].
      labels: int32 [N]; None of data without.
      embedded: of the images.
    """

    images: np.ndarray
    labels: np.ndarray | None
    embedded: Embedded


def reference(split: Split, features: Features, most: int) -> Reference:
    """At most so many images of a split, spread evenly over it, as they enter a model."""
    batch = split.example_batch(most)
    images = batch["image"]
    return Reference(images, batch.get("label"), embedded(features, split.spec, images))


def embedded(features: Features, spec: DataSpec, images: np.ndarray) -> Embedded:
    """Features of images, computed once for each set of images.

    The key in the cache is the images themselves, by their SHA-256, with the features' name: it
    tells data, split, number and transforms apart, whatever they are called.
    """
    digest = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()

    def compute() -> dict[str, np.ndarray]:
        found = features(images)
        known = {} if found.probabilities is None else {"probabilities": found.probabilities}
        return {"features": found.features, **known}

    key = (_FORMAT, features.name, spec.num_levels, images.shape, digest)
    arrays = kept("features", key, compute)
    return Embedded(arrays["features"], arrays.get("probabilities"))
