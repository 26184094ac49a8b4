"""Figures of a model's samples, where its likelihood says nothing: read by a classifier."""

import math

import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.drawing import draw
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.metrics.labels import class_coverage, confusion
from gm_jax.model import Family, TrainState, can, compiled

_AT_ONCE = 500  # images
_SURE = 0.9


def evaluate_samples(
    model: Family,
    state: TrainState,
    reader: Family,
    reader_state: TrainState,
    num: int = 1000,
    seed: int = 0,
) -> dict[str, Figure]:
    """What a classifier reads from samples.

    Args:
      model: whose samples; a conditional family is asked for each class in turn.
      state: of it.
      reader: a classifier of images of the same data (`check_reader`).
      reader_state: of it.
      num: samples.
      seed: of the samples.

    Returns:
      "read_surely" (the share read with a probability above 0.9), "classes_covered" (of at least
      1 % of the samples) and "class_kl" (nats, from equal shares); for a conditional model also
      "label_agreement" (the share read as the label asked for) and "label_agreement/K" of each.

    Raises:
      UserError: where the model cannot sample, or `num` is less than 1.
    """
    classes = reader_state.spec.num_classes or 1
    asked = np.arange(num, dtype=np.int32) % classes
    images = draw(model, state, "sample", num, seed, asked if model.conditional else None)
    probabilities = read_probabilities(reader, reader_state, images)
    return label_figures(asked if model.conditional else None, probabilities)


def label_figures(asked: np.ndarray | None, probabilities: np.ndarray) -> dict[str, Figure]:
    """What p(y|x) [N, K] of samples says, beside the labels [N] asked for, if any were."""
    num, classes = probabilities.shape
    read = probabilities.argmax(1)
    coverage = class_coverage(read, classes)
    figures = {}
    if asked is not None:
        counts = confusion(asked, read, classes)
        figures["label_agreement"] = share(np.trace(counts), num)
        for label, row in enumerate(counts):
            if row.any():
                figures[f"label_agreement/{label}"] = share(row[label], row.sum())
    figures["read_surely"] = share(int((probabilities.max(1) > _SURE).sum()), num)
    figures["classes_covered"] = Figure(coverage.classes_held, "estimate", num)
    figures["class_kl"] = Figure(coverage.kl_to_uniform, "estimate", num, coverage.kl_stderr)
    return figures


def read_probabilities(reader: Family, state: TrainState, images: np.ndarray) -> np.ndarray:
    """p(y|x) of images [N, H, W, C]: float32 [N, K]."""
    classify = compiled(reader, "classify")
    parts = [images[i : i + _AT_ONCE] for i in range(0, len(images), _AT_ONCE)]
    return np.concatenate([np.exp(np.asarray(classify(state, {"image": part}))) for part in parts])


def check_reader(reader: Family, known: DataSpec, spec: DataSpec) -> None:
    """Looks whether a classifier can read images.

    Args:
      reader: the classifier.
      known: of the data it was trained on.
      spec: of the images.

    Raises:
      UserError: it is none, or the images or numbers of classes differ.
    """
    if not can(reader, known, "classify"):
        raise UserError(
            f"{type(reader).__name__} can't classify, give the run of a Classifier "
            "(gm-jax train mnist/classifier)"
        )
    same = (known.shape, known.num_levels, known.continuous)
    if same != (spec.shape, spec.num_levels, spec.continuous):
        raise UserError(f"it reads images {_describe(known)}, but those are {_describe(spec)}")
    if spec.num_classes not in (None, known.num_classes):
        raise UserError(
            f"it knows {known.num_classes} classes, but those images have {spec.num_classes}"
        )


def share(count: int, total: int) -> Figure:
    """A share of examples, with its binomial standard error."""
    part = float(count / total)
    return Figure(part, "estimate", int(total), math.sqrt(part * (1 - part) / total))


def _describe(spec: DataSpec) -> str:
    return f"{'x'.join(map(str, spec.shape))} with {spec.num_levels} levels"
