"""Figures of a model's samples, where its likelihood says nothing: read by a classifier."""

import math

import jax
import numpy as np

from gm_jax.errors import UserError
from gm_jax.evaluation.split import Figure
from gm_jax.metrics.labels import class_coverage, confusion
from gm_jax.model import Classifies
from gm_jax.run import Run

_AT_ONCE = 500  # images


def read_samples(run: Run, classifier: Run, num: int = 1000, seed: int = 0) -> dict[str, Figure]:
    """What a classifier reads from samples.

    Args:
      run: whose samples; a conditional family is asked for each class in turn.
      classifier: a run that classifies images of the same data.
      num: samples.
      seed: of the samples.

    Returns:
      "classes_covered" (of at least 1 % of the samples) and "class_kl" (nats, from equal shares);
      for a conditional model also "label_agreement" (the share read as the label asked for) and
      "label_agreement/K" for each class.

    Raises:
      UserError: where the model cannot sample, the classifier cannot classify, their images or
        numbers of classes differ, or `num` is less than 1.
    """
    _check(run, classifier, num)
    classes = classifier.spec.num_classes or 1
    conditional = getattr(run.model, "conditional", False)
    asked = np.arange(num, dtype=np.int32) % classes
    images = run.sample(num, seed, asked if conditional else None)
    read = read_labels(classifier, images)
    coverage = class_coverage(read, classes)
    figures = {}
    if conditional:
        counts = confusion(asked, read, classes)
        figures["label_agreement"] = _share(np.trace(counts), num)
        for label, row in enumerate(counts[:num]):
            figures[f"label_agreement/{label}"] = _share(row[label], row.sum())
    figures["classes_covered"] = Figure(coverage.classes_held, "estimate", num)
    figures["class_kl"] = Figure(coverage.kl_to_uniform, "estimate", num, coverage.kl_stderr)
    return figures


def read_labels(classifier: Run, images: np.ndarray) -> np.ndarray:
    """The most probable label of each image [N, H, W, C]: int64 [N]."""
    assert isinstance(classifier.model, Classifies)
    classify = jax.jit(classifier.model.classify)
    parts = [images[i : i + _AT_ONCE] for i in range(0, len(images), _AT_ONCE)]
    return np.concatenate(
        [np.asarray(classify(classifier.state, {"image": part}).argmax(-1)) for part in parts]
    )


def _share(count: int, total: int) -> Figure:
    share = float(count / total)
    return Figure(share, "estimate", int(total), math.sqrt(share * (1 - share) / total))


def _check(run: Run, classifier: Run, num: int) -> None:
    if num < 1:
        raise UserError(f"--num-images must be at least 1, not {num}")
    if not isinstance(classifier.model, Classifies):
        family = type(classifier.model).__name__
        raise UserError(
            f"--classifier {classifier.folder}: {family} can't classify, give the run of a "
            "Classifier (gm-jax train mnist/classifier)"
        )
    same = ("shape", "num_levels", "continuous")
    if any(getattr(run.spec, name) != getattr(classifier.spec, name) for name in same):
        raise UserError(
            f"--classifier {classifier.folder} reads images {_describe(classifier)}, but those of "
            f"{run.folder} are {_describe(run)}"
        )
    if run.spec.num_classes not in (None, classifier.spec.num_classes):
        raise UserError(
            f"--classifier {classifier.folder} knows {classifier.spec.num_classes} classes, but "
            f"{run.folder} has {run.spec.num_classes}"
        )


def _describe(run: Run) -> str:
    return f"{'x'.join(map(str, run.spec.shape))} with {run.spec.num_levels} levels"
