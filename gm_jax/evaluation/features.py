"""In what sets of images are compared: features of a classifier, or of whatever looks like this.

A figure is comparable with another only if both were made in the same features, so features have a
name that holds a digest of all numbers they depend on.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.evaluation.samples import check_reader
from gm_jax.functional.dtypes import full_precision
from gm_jax.model import Classifies, Embeds, Family, TrainState, require

_AT_ONCE = 500  # images


class Embedded(NamedTuple):
    """What features say of images.

    Attributes:
      features: float32 [N, D].
      probabilities: p(y|x) of classes, float32 [N, K]; None where the features know none.
    """

    features: np.ndarray
    probabilities: np.ndarray | None


class Features(Protocol):
    """Turns images of integer levels into features."""

    @property
    def name(self) -> str:
        """Under which figures are kept, e.g. mnist/classifier-1a2b3c4d."""
        ...

    @property
    def dim(self) -> int:
        """D."""
        ...

    @property
    def reads_labels(self) -> bool:
        """Whether the probabilities are of the labels that the data themselves have."""
        ...

    def __call__(self, images: np.ndarray) -> Embedded:
        """Of levels [N, H, W, C]; of each image the same, whatever the others are."""
        ...


class ClassifierFeatures:
    """The hidden layer of a classifier, and what it says of the classes.

    Attributes:
      name: of its experiment, with the first 8 digits of its parameters' SHA-256.
      dim: width of the layer.
    """

    reads_labels = True

    def __init__(self, model: Family, state: TrainState, name: str, spec: DataSpec):
        """Of a trained classifier.

        Args:
          model: the classifier.
          state: of it.
          name: of its experiment.
          spec: of the images to come.

        Raises:
          UserError: it can't give features, or can't read such images.
        """
        check_reader(model, state.spec, spec)
        require(model, state.spec, "embed")
        assert isinstance(model, Embeds)
        assert isinstance(model, Classifies)

        def embed(state: TrainState, image: Any) -> tuple[Any, Any]:
            batch = {"image": image}
            with full_precision():
                return model.embed(state, batch), jax.numpy.exp(model.classify(state, batch))

        self.name = f"{name or 'classifier'}-{parameters_digest(state.eval_params)}"
        self._state, self._embed = state, jax.jit(embed)
        one = jax.ShapeDtypeStruct((1, *spec.shape), np.uint8)
        self.dim = int(jax.eval_shape(embed, state, one)[0].shape[1])

    def __call__(self, images: np.ndarray) -> Embedded:
        found = in_batches(lambda part: self._embed(self._state, part), images)
        return Embedded(found[0], found[1])


def in_batches(
    apply: Callable[[np.ndarray], tuple[Any, ...]], images: np.ndarray, size: int = _AT_ONCE
) -> tuple[np.ndarray, ...]:
    """What a function says of images [N, ...], in batches of one size: of the last, padding is cut.

    Args:
      apply: images [size, ...] to arrays [size, ...].
      images: one or more.
      size: of a batch.
    """
    parts = []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        padding = np.repeat(part[:1], size - len(part), 0)
        found = apply(np.concatenate([part, padding]))
        parts.append([np.asarray(v)[: len(part)] for v in found])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def parameters_digest(params: Any) -> str:
    """First 8 hexadecimal digits of the SHA-256 of all parameters, with their names and shapes."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()[:8]
