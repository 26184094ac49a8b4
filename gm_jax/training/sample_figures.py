"""Figures of samples at each validation: how far they are from the validation split."""

from pathlib import Path

from gm_jax.data.split import Split
from gm_jax.drawing import draw
from gm_jax.errors import UserError
from gm_jax.evaluation.features import ClassifierFeatures, Features
from gm_jax.evaluation.quality import asked_labels
from gm_jax.evaluation.random_features import RandomFeatures
from gm_jax.evaluation.reference import reference
from gm_jax.evaluation.samples import label_figures
from gm_jax.experiment import Experiment
from gm_jax.metrics.kernel_distance import kid
from gm_jax.model import TrainState, require
from gm_jax.rng import numpy_generator
from gm_jax.training.checkpoint import Checkpoints
from gm_jax.training.folder import RunFolder
from gm_jax.training.sharding import mesh_of
from gm_jax.training.step import abstract_state

_MOST_IMAGES = 5_000  # of a split


class SampleFigures:
    """KID of `training.samples_for_metrics` samples, and what a classifier reads from them.

    Attributes:
      names: of the figures.
    """

    def __init__(self, experiment: Experiment, train: Split, valid: Split):
        """Computes features of the validation split, or finds them in the user's cache.

        Args:
          experiment: whose `training` says how many, and which classifier.
          train: whose labels a conditional family is asked for.
          valid: beside whose images the samples are held.

        Raises:
          UserError: the family can't sample, or the classifier can't be opened or read its images.
        """
        require(experiment.model, valid.spec, "sample")
        training = experiment.training
        self._model, self._seed = experiment.model, experiment.seed
        self._num = training.samples_for_metrics
        self._features: Features = (
            RandomFeatures(valid.spec)
            if training.metrics_classifier is None
            else _classifier(Path(training.metrics_classifier), valid)
        )
        self._labels = train.example_batch(_MOST_IMAGES).get("label")
        self._valid = reference(valid, self._features, _MOST_IMAGES)
        read = ["classes_covered", "read_surely", *["label_agreement"] * self._model.conditional]
        self.names = ("kid", *(read if self._features.reads_labels else ()))

    def __call__(self, state: TrainState) -> dict[str, float]:
        """Of a state: a function of the experiment's seed and the step alone."""
        step = int(state.step)
        seed = int(numpy_generator(self._seed, "eval", "samples", str(step)).integers(2**31))
        asked = asked_labels(self._model, self._labels, self._num, seed)
        found = self._features(draw(self._model, state, "sample", self._num, seed, asked))
        figures = {"kid": kid(found.features, self._valid.embedded.features).value}
        if self._features.reads_labels:
            assert found.probabilities is not None
            told = label_figures(asked, found.probabilities)
            figures |= {name: told[name].value for name in self.names if name in told}
        return {name: float(figures[name]) for name in self.names}


def _classifier(path: Path, valid: Split) -> ClassifierFeatures:
    folder = RunFolder(path)
    try:
        experiment, spec = folder.load()
        if not folder.has_checkpoint():
            raise UserError(f"{path} has no checkpoint yet: train it first")
        checkpoints = Checkpoints(folder.checkpoints, experiment.training.monitor_mode)
        template = abstract_state(experiment.model, spec)
        wanted = experiment.evaluation.checkpoint
        state = checkpoints.restore(wanted, template, mesh_of(experiment))
        return ClassifierFeatures(experiment.model, state, experiment.name, valid.spec)
    except UserError as error:
        raise error.of("training.metrics_classifier") from None
