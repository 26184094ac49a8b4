"""How good samples are: held as a set against images of a split, in features of one name."""

import dataclasses
import hashlib
from collections.abc import Callable

import numpy as np

from gm_jax.data.config import AnyData
from gm_jax.data.store.kept import kept
from gm_jax.drawing import draw
from gm_jax.errors import UserError
from gm_jax.evaluation.features import Embedded, Features
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.measured import Measured
from gm_jax.evaluation.reference import Reference, reference
from gm_jax.evaluation.samples import label_figures, share
from gm_jax.metrics.frechet import (
    Gaussian,
    fid_infinity,
    frechet_distance,
    frechet_error,
    gaussian,
)
from gm_jax.metrics.inception_score import inception_score
from gm_jax.metrics.kernel_distance import kid
from gm_jax.metrics.manifold import manifold
from gm_jax.metrics.memorization import memorized, num_duplicates
from gm_jax.metrics.moments import moments
from gm_jax.metrics.neighbours import nearest
from gm_jax.model import Family, TrainState, require
from gm_jax.viz.grids import image_grid
from gm_jax.viz.style import caption, label_grid

LEAST_SAMPLES = 50
"""Of which a figure can be computed."""
_MOST_REFERENCE = 50_000  # images of the split
_MOST_TRAINING = 60_000  # images among which copies are looked for
_MOST_PAIRS = 10_000  # images a side, where all pairs are looked at
_SHOWN = 12  # samples beside their nearest training images
_BESIDE = 4  # training images beside each


@dataclasses.dataclass(frozen=True)
class SampleQuality:
    """Figures of one set of samples in features of one name, and a look at them.

    Attributes:
      measured: the figures, with what they are figures of.
      shown: samples, levels [P, H, W, C]: those nearest to a training image first.
      beside: the training images nearest to each, nearest first, [P, Q, H, W, C].
    """

    measured: Measured
    shown: np.ndarray
    beside: np.ndarray

    @property
    def figures(self) -> dict[str, Figure]:
        """By name."""
        return self.measured.figures

    def picture(self, num_levels: int) -> np.ndarray:
        """Samples with their nearest training images to the right, uint8 [H, W, C]."""
        rows = np.concatenate([self.shown[:, None], self.beside], 1)  # [P, 1 + Q, H, W, C]
        num, columns = rows.shape[:2]
        grid = image_grid(rows.reshape(num * columns, *rows.shape[2:]), num_levels, columns)
        names = ["sample", "nearest", *(f"{i}." for i in range(2, columns))]
        return caption(label_grid(grid, columns=names), f"in {self.measured.features}")


def sample_quality(
    model: Family,
    state: TrainState,
    features: Features,
    data: AnyData,
    *,
    num: int = 10_000,
    seed: int = 0,
    split: str = "test",
    data_seed: int = 0,
    watch: Callable[[int], None] | None = None,
) -> SampleQuality:
    """Draws samples, and holds them against the images of a split.

    A conditional family is asked for labels of training images, drawn by the seed: so classes have
    the data's shares. (Those of the images themselves would make the two sets dependent.)

    Args:
      model: whose samples.
      state: of it.
      features: in which they are compared.
      data: of the run: its training split is where copies are looked for.
      num: samples.
      seed: of the samples.
      split: of the images.
      data_seed: of what is random in the data.
      watch: is told how many samples are drawn.

    Returns:
      Figures, all estimates:
      fid, fid_infinity: of all samples beside all images (50,000 at most);
      fid_floor: FID of so many training images beside the same images;
      kid: of all pairs (10,000 images a side at most);
      precision, recall, density, coverage: of equally many samples and images;
      inception_score: where the features know classes;
      label_agreement, label_agreement/K (of conditional families), read_surely, classes_covered,
      class_kl:
      where these classes are those of the data;
      memorization, memorization_floor: share of samples, and of the split's images, that are taken
      for copies of a training image;
      duplicates: share of samples equal to another, level by level.

    Raises:
      UserError: the family can't sample, fewer than 50 samples or images, or data are missing.
    """
    require(model, state.spec, "sample")
    check_num(num)
    held = reference(data.open(split, data_seed), features, _MOST_REFERENCE)
    if len(held.images) < LEAST_SAMPLES:
        raise UserError(
            f"the split {split} has {len(held.images)} images, and samples are held against "
            f"{LEAST_SAMPLES} or more: give a larger split"
        )
    train = reference(data.open("train", data_seed), features, _MOST_TRAINING)
    asked = asked_labels(model, train.labels, num, seed)
    images = draw(model, state, "sample", num, seed, asked, watch=watch)
    drawn = features(images)
    figures = _distances(drawn, held.embedded, train.embedded, seed)
    figures |= _manifold(drawn.features, held.embedded.features)
    if drawn.probabilities is not None:
        figures |= _classes(features, drawn.probabilities, asked)
    copies, shown = _copies(images, drawn.features, held.embedded.features, train)
    measured = Measured(
        step=int(state.step),
        split=split,
        num=num,
        seed=seed,
        features=features.name,
        figures=figures | copies,
    )
    return SampleQuality(measured, *shown)


def check_num(num: int) -> None:
    """Looks whether so many samples make a figure.

    Raises:
      UserError: for fewer than 50.
    """
    if num < LEAST_SAMPLES:
        raise UserError(
            f"figures of sample quality need {LEAST_SAMPLES} or more samples, not {num}"
        )


def asked_labels(
    model: Family, labels: np.ndarray | None, num: int, seed: int
) -> np.ndarray | None:
    """What a conditional family is asked for, int32 [num], drawn from labels; None of others."""
    if not model.conditional:
        return None
    assert labels is not None  # a conditional family learned from labels
    return np.random.default_rng(seed).choice(labels, num).astype(np.int32)


def _distances(drawn: Embedded, held: Embedded, train: Embedded, seed: int) -> dict[str, Figure]:
    num, beside = len(drawn.features), gaussian(moments(held.features))
    floor = spread(train.features, num)
    endless = fid_infinity(drawn.features, beside, seed)
    kernel = kid(drawn.features[:_MOST_PAIRS], spread(held.features, _MOST_PAIRS))
    return {
        "fid": _fid(drawn.features, beside),
        "fid_infinity": Figure(endless.value, "estimate", num, endless.stderr),
        "fid_floor": _fid(floor, beside),
        "kid": Figure(kernel.value, "estimate", min(num, _MOST_PAIRS), kernel.stderr),
    }


def _fid(features: np.ndarray, beside: Gaussian) -> Figure:
    found = moments(features)
    error = frechet_error(features, found, beside)
    return Figure(frechet_distance(gaussian(found), beside), "estimate", len(features), error)


def _manifold(drawn: np.ndarray, held: np.ndarray) -> dict[str, Figure]:
    num = min(len(drawn), len(held), _MOST_PAIRS)
    samples, images = drawn[:num], spread(held, num)
    found = manifold(samples, images)._asdict()
    return {name: Figure(v.value, "estimate", num, v.stderr) for name, v in found.items()}


def _classes(
    features: Features, probabilities: np.ndarray, asked: np.ndarray | None
) -> dict[str, Figure]:
    num = len(probabilities)
    score = inception_score(probabilities)
    figures = {"inception_score": Figure(score.value, "estimate", num, score.stderr)}
    if features.reads_labels:
        figures |= label_figures(asked, probabilities)
    return figures


def _copies(
    images: np.ndarray, drawn: np.ndarray, held: np.ndarray, train: Reference
) -> tuple[dict[str, Figure], tuple[np.ndarray, np.ndarray]]:
    """Figures of copies, and samples beside their nearest training images."""
    pool = train.embedded.features
    beside = min(_BESIDE, len(pool))
    found = nearest(drawn[:_MOST_PAIRS], pool, beside)
    copied = memorized(found)
    floor = _floor(spread(held, _MOST_PAIRS), pool)
    figures = {
        "memorization": share(int(copied.sum()), len(copied)),
        "memorization_floor": share(int(floor.sum()), len(floor)),
        "duplicates": share(num_duplicates(images), len(images)),
    }
    first = np.argsort(found.distance[:, 0], kind="stable")[:_SHOWN]
    return figures, (images[first], train.images[found.places[first]])


def _floor(held: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Which images of a split are taken for copies, bool [N]; kept in the user's cache."""
    digests = [hashlib.sha256(np.ascontiguousarray(v)).hexdigest() for v in (held, pool)]

    def compute() -> dict[str, np.ndarray]:
        return {"copied": memorized(nearest(held, pool, 2))}

    return kept("features", ("copies", *digests), compute)["copied"]


def spread(array: np.ndarray, most: int) -> np.ndarray:
    """At most so many entries, spread evenly over an array [N, ...]."""
    if len(array) <= most:
        return array
    return array[np.linspace(0, len(array) - 1, most).round().astype(int)]
