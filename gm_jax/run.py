"""The Python API: load an experiment, fit it, open a run, get arrays back.

experiment = gm_jax.load("digits/vae").replace(**{"model.latent_dim": 16})
run = gm_jax.fit(experiment, "runs/mine")
images = run.sample(64, seed=0)
"""

import contextlib
import dataclasses
import functools
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax import __version__
from gm_jax.data.arrays.keeping import with_arrays
from gm_jax.data.sequences.checks import check_forecast, known_names
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import Split
from gm_jax.data.transforms import apply_random
from gm_jax.drawing import chunk_size, draw, sample_rngs
from gm_jax.errors import UserError
from gm_jax.evaluation.features import ClassifierFeatures, Features, parameters_digest
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.forecasts import MODEL, LeadTimes, evaluate_lead_times
from gm_jax.evaluation.named_features import FeaturesName, named_features
from gm_jax.evaluation.other_times import evaluate_other_times
from gm_jax.evaluation.quality import SampleQuality, check_num, sample_quality
from gm_jax.evaluation.samples import check_reader, evaluate_samples
from gm_jax.evaluation.translations import translated_events
from gm_jax.evaluation.unfinished import Unfinished
from gm_jax.experiment import Experiment
from gm_jax.experiment_code import Code, read_code
from gm_jax.experiment_file import resolve
from gm_jax.experiment_json import to_plain
from gm_jax.exported_sampler import SUFFIX as SAMPLER_SUFFIX
from gm_jax.exported_sampler import export_sampler
from gm_jax.functional.interpolation import lerp, slerp
from gm_jax.model import Family, TrainState, can, compiled, drawn_by, require, sampling_of
from gm_jax.printing import brief, html_table, text_table
from gm_jax.rng import Rngs, rngs_from_seed
from gm_jax.sample_folder import Format as SampleFormat
from gm_jax.sample_folder import fill
from gm_jax.training.callbacks import Callback
from gm_jax.training.checks import check_same_columns
from gm_jax.training.folder import RunFolder
from gm_jax.training.initial import Init
from gm_jax.training.loop import TrainResult, train
from gm_jax.training.pictures import Painter, newest_picture, picture_examples
from gm_jax.training.processes import several
from gm_jax.training.progress import Bar, progress
from gm_jax.training.records import by_phase, read_records
from gm_jax.training.restoring import restore
from gm_jax.training.sharding import DataMesh, make_evaluator, mesh_of
from gm_jax.weights import SUFFIX, Weights, is_weights, read_weights, state_from, weights_of
from gm_jax.whole_file import write_bytes

_MOST_VALUES = 2**31 - 1  # of all images of one call together: XLA dies of more


class Run:
    """A trained state with its experiment: arrays in, arrays out."""

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        state: TrainState,
        mesh: DataMesh,
        numerics: int | None = None,
    ):
        """`numerics` is the version of the updates that made the state (None: today's)."""
        self.folder, self.experiment, self.state, self._mesh = folder, experiment, state, mesh
        self._numerics = experiment.model.numerics if numerics is None else numerics

    def __repr__(self) -> str:
        return text_table(f"Run {self.folder}", self._table())

    def _repr_html_(self) -> str:
        return html_table(f"Run {self.folder}", self._table(), newest_picture(self.folder))

    def _table(self) -> dict[str, str]:
        shape = "x".join(map(str, self.spec.shape))
        values = "points" if self.spec.continuous else f"{self.spec.num_levels} levels"
        num_params = sum(p.size for p in jax.tree.leaves(self.state.params))
        rows = {
            "experiment": self.experiment.name or "without a name",
            "model": brief(self.model),
            "data": f"{brief(self.experiment.data)} · {shape} · {values}",
            "parameters": f"{num_params:,}",
            "step": f"{self.step:,} of {self.experiment.training.num_steps:,}",
        }
        for phase, figures in self.metrics.items():
            last = {name: values[-1] for name, values in figures.items() if name != "step"}
            said = " · ".join(f"{n} {v:.4g}" for n, v in last.items() if np.isfinite(v))
            rows[phase] = f"step {figures['step'][-1]:,} · {said}"
        return rows

    @property
    def metrics(self) -> dict[str, dict[str, np.ndarray]]:
        """The record of the run by phase and name: `run.metrics["train"]["loss"]`, float64 [N].

        Beside its figures each phase ("train", "valid", "test") has "step", int64 [N]. What a line
        does not tell is NaN.
        """
        return by_phase(read_records(RunFolder(self.folder).metrics))

    @property
    def model(self) -> Family:
        """The family and its hyper-parameters: pure functions of the state."""
        return self.experiment.model

    @property
    def spec(self) -> DataSpec:
        """Shape and alphabet of the images."""
        return self.state.spec

    @property
    def step(self) -> int:
        """Training steps behind the state."""
        return int(self.state.step)

    def sample(
        self,
        num: int,
        seed: int = 0,
        condition: Any = None,
        *,
        show_progress: bool = False,
        **sampling: Any,
    ) -> np.ndarray:
        """Images from the model; the same for the same seed, however many are asked for.

        They are drawn in chunks of bounded memory (`gm_jax.drawing`). The first k of them are those
        of `sample(k)`, but for rounding.

        Args:
          num: how many.
          seed: of the draw.
          condition: labels [num], or one label for all, for a family that was trained with them.
          show_progress: whether to show that of a draw that takes several chunks.
          sampling: how the family draws, where it draws in several ways: fields of its config
            `model.sampling`, such as sampler, guidance, temperature or truncation.

        Returns:
          uint8 levels [num, H, W, C]; float32 where the data are points, in their own units.

        Raises:
          UserError: what the family cannot do, or a value that the field cannot have.
        """
        require(self.model, self.spec, "sample")
        model = drawn_by(self.model, sampling)
        labels = self._labels(condition, num)
        if not show_progress or num <= chunk_size(self.spec):
            return draw(model, self.state, "sample", num, seed, labels)
        unit = "point" if self.spec.continuous else "image"
        with progress(num, 0, "samples", unit=unit) as bar:
            return draw(
                model,
                self.state,
                "sample",
                num,
                seed,
                labels,
                watch=lambda done: bar.advance(done, {}),
            )

    def sample_to_folder(
        self,
        folder: str | Path,
        num: int,
        seed: int = 0,
        condition: Any = None,
        *,
        kind: SampleFormat | None = None,
        show_progress: bool = False,
        **sampling: Any,
    ) -> int:
        """The images of `sample`, any number of them, as files of a folder.

        What is there already is not drawn again, so that the same call goes on where it stopped;
        with another number it adds what is missing.

        Args:
          folder: to make, or to go on with.
          num: how many in all.
          seed: of the draw.
          condition: as in `sample`.
          kind: "png", a file an image; "npz", a file a chunk (`gm_jax.sample_folder`); None: png,
            of points npz.
          show_progress: whether to show that.
          sampling: as in `sample`.

        Returns:
          How many images were drawn now.

        Raises:
          UserError: as `sample`; or the folder holds something else.
        """
        model, labels = drawn_by(self.model, sampling), self._labels(condition, num)
        about = {
            "experiment": self.experiment.name,
            "step": self.step,
            "weights": self.weights().digest,
            "label": None if labels is None else np.unique(labels).tolist(),
            "sampling": to_plain(sampling_of(model)),
        }
        with contextlib.ExitStack() as stack:
            bar: Bar | None = None
            if show_progress:
                unit = "point" if self.spec.continuous else "image"
                bar = stack.enter_context(progress(num, 0, "samples", unit=unit))

            def watch(done: int) -> None:
                if bar is not None:
                    bar.advance(done, {})

            return fill(Path(folder), model, self.state, num, seed, labels, kind, about, watch)

    def export_sampler(
        self, out: str | Path, num: int = 64, condition: Any = None, **sampling: Any
    ) -> Path:
        """Writes `sample(num, seed)` as a function of the seed that runs without gm_jax.

        Args:
          out: a .stablehlo file, for `jax.export.deserialize`; its folder is made.
          num: images of a call, at most a chunk (`gm_jax.drawing`).
          condition: labels [num], or one label for all, for a family that was trained with them.
          sampling: as in `sample`.

        Returns:
          The file.

        Raises:
          UserError: what the family cannot do, or not without Python at hand; too many images; or
            another ending.
        """
        path = Path(out)
        if path.suffix != SAMPLER_SUFFIX:
            raise UserError(f"{path}: a sampler must end in {SAMPLER_SUFFIX}", "--out")
        model = drawn_by(self.model, sampling)
        content = export_sampler(model, self.state, num, self._labels(condition, num))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
        return path

    def draw_latents(self, num: int, seed: int = 0, **sampling: Any) -> np.ndarray:
        """Latents from the family's prior, float32 [num, ...]: those of `sample` with this seed.

        Args:
          num: how many.
          seed: of the draw.
          sampling: as in `sample`.
        """
        return draw(drawn_by(self.model, sampling), self.state, "draw_latents", num, seed)

    def sample_means(self, num: int, seed: int = 0, **sampling: Any) -> np.ndarray:
        """The mean images behind `sample(num, seed)`, float32 in [0, 1], [num, H, W, C]."""
        return draw(drawn_by(self.model, sampling), self.state, "sample_means", num, seed)

    def reconstruct(self, batch: Any, seed: int = 0) -> np.ndarray:
        """Images through the code and back, uint8 levels [B, H, W, C]."""
        method = self._method("reconstruct")
        return np.asarray(method(self.state, sample_rngs(seed), self._batch(batch)))

    def inpaint(
        self, images: Any, known: Any, seed: int = 0, condition: Any = None, **sampling: Any
    ) -> np.ndarray:
        """Images completed from what is known of them; the same for the same seed.

        Args:
          images: uint8 levels [B, H, W, C]; what is not known of them has no part.
          known: which values are kept, bool [B, H, W] or [B, H, W, C].
          seed: of the draw.
          condition: labels [B], or one label for all, for a family that was trained with them.
          sampling: as in `sample`.

        Returns:
          uint8 levels [B, H, W, C].

        Raises:
          UserError: what the family cannot do, or a mask that does not fit the images.
        """
        if sampling:
            return self._drawn_by(sampling).inpaint(images, known, seed, condition)
        method = self._method("inpaint")
        image = np.asarray(self._batch(images)["image"])
        known = np.asarray(known)
        if known.dtype != bool or known.shape not in (image.shape, image.shape[:-1]):
            batch, *rest = image.shape
            raise UserError(
                f"known must be bool [{batch}, {', '.join(map(str, rest[:-1]))}], with a last axis "
                f"of {rest[-1]} or without, not {known.dtype} {list(known.shape)}"
            )
        labels = self._labels(condition, len(image))
        return np.asarray(method(self.state, sample_rngs(seed), image, known, labels))

    def forecast(self, context: Mapping[str, Any], times: Any) -> np.ndarray:
        """What comes after known frames, at any times.

        Args:
          context: "context" uint8 levels [B, N, H, W, C] and "context_time" [B, N], seconds that
            end in 0; and what the data have as conditions ("ocean" [B], "wind_speed" [B, N]).
            Further entries, as a batch has them, have no part.
          times: seconds after the last known frame, increasing, [M'] or [B, M'].

        Returns:
          uint8 levels [B, M', H, W, C].

        Raises:
          UserError: what the family cannot do, or what does not fit (`check_forecast`).
        """
        method = self._method("forecast")
        names = (name for name in known_names(self.spec) if name in context)
        known = {name: np.asarray(context[name]) for name in names}
        known["context_time"] = known["context_time"].astype(np.float32)
        wanted = np.asarray(times, np.float32)
        wanted = np.broadcast_to(wanted, (len(known["context"]), wanted.shape[-1]))
        check_forecast(self.spec, known, wanted)
        return np.asarray(method(self.state, Rngs(self.state.key).at("forecast"), known, wanted))

    def translate(self, batch: Mapping[str, Any]) -> np.ndarray:
        """The images that belong to those of the other channels, uint8 levels [B, H, W, C]."""
        method = self._method("translate")
        return np.asarray(method(self.state, {e.name: batch[e.name] for e in self.spec.extras}))

    def encode(self, batch: Any) -> np.ndarray:
        """Codes, [B, ...]."""
        return np.asarray(self._method("encode")(self.state, self._batch(batch)))

    def encode_split(
        self, split: str = "test", show_progress: bool = False
    ) -> dict[str, np.ndarray]:
        """Codes of every image of a split, in its order.

        Args:
          split: "train", "valid", "test" or a split expression.
          show_progress: whether to show that.

        Returns:
          "code" [N, ...], "index" int32 [N], and "label" int32 [N] where there are labels.
        """
        method, data = self._method("encode"), self._open(split)
        rngs = rngs_from_seed(self.experiment.seed).at("eval", "transforms")
        parts: list[dict[str, np.ndarray]] = []
        with contextlib.ExitStack() as stack:
            bar: Bar | None = None
            if show_progress:
                bar = stack.enter_context(progress(data.num_examples, 0, "codes", unit="example"))
            for batch in data.eval_batches(self.experiment.evaluation.batch_size):
                seen = apply_random(data.transforms, rngs, batch, train=False)
                whole = {n: np.asarray(v) for n, v in seen.items() if n in ("index", "label")}
                whole["code"] = np.asarray(method(self.state, self._batch(seen)))
                parts.append({name: value[batch["mask"]] for name, value in whole.items()})
                if bar is not None:
                    bar.advance(sum(len(part["index"]) for part in parts), {})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def decode(self, z: Any, condition: Any = None) -> np.ndarray:
        """Images of codes or latents (with labels [B]), uint8 levels [B, H, W, C].

        Raises:
          UserError: what the family cannot do, or codes of another shape or of no numbers.
        """
        method, codes = self._method("decode"), self._codes(z)
        labels = self._labels(condition, len(codes))
        return np.asarray(method(self.state, jnp.asarray(codes), labels))

    def interpolate(self, start: Any, end: Any, num: int = 10) -> np.ndarray:
        """Images between pairs of images, by straight lines between their codes.

        Args:
          start: images [B, H, W, C].
          end: images [B, H, W, C].
          num: images a line, both ends' reconstructions among them; at least 2.

        Returns:
          uint8 levels [B, num, H, W, C].
        """
        self._check_lines(len(start), num)
        return self._decode_lines(lerp, self.encode(start), self.encode(end), num)

    def interpolate_latents(
        self, lines: int, num: int = 10, seed: int = 0, condition: Any = None
    ) -> np.ndarray:
        """Images between pairs of draws from the prior, along arcs from latent to latent.

        Args:
          lines: how many pairs.
          num: images a line, those of both ends among them; at least 2.
          seed: of the draw.
          condition: a label for each line, [lines], kept all along it; None: the model chooses.

        Returns:
          uint8 levels [lines, num, H, W, C].
        """
        self._check_lines(lines, num)
        z = self.draw_latents(2 * lines, seed)
        return self._decode_lines(slerp, z[0::2], z[1::2], num, condition)

    def _decode_lines(
        self,
        path: Callable[[Any, Any, Any], jax.Array],
        a: np.ndarray,
        b: np.ndarray,
        num: int,
        condition: Any = None,
    ) -> np.ndarray:
        """Images along paths between codes [B, ...], uint8 levels [B, num, H, W, C].

        What stands at one place of all lines is decoded together, so that a model which chooses
        labels by their order in the batch chooses the same all along a line.
        """
        t = np.linspace(0.0, 1.0, num, dtype=np.float32)
        z = np.asarray(path(a.reshape(len(a), -1), b.reshape(len(b), -1), t))  # [B, num, K]
        columns = [self.decode(z[:, i].reshape(a.shape), condition) for i in range(num)]
        return np.stack(columns, axis=1)

    def log_prob(self, batch: Any, num_samples: int = 1, seed: int = 0) -> np.ndarray:
        """log p(x) in nats (or its bound), [B]."""
        method = self._method("log_prob")
        return np.asarray(method(self.state, self._batch(batch), sample_rngs(seed), num_samples))

    def evaluate(
        self, split: str = "test", num_samples: int | None = None, show_progress: bool = False
    ) -> dict[str, Figure]:
        """Figures over a split ("train", "valid", "test" or a split expression).

        Of translations also the critical success index, where the data have thresholds.

        Args:
          split: which examples.
          num_samples: effort of the estimate of log p(x); None: the experiment's; 0: none.
          show_progress: whether to show that of the estimate, which can take long.
        """
        data = self._open(split)
        evaluator = make_evaluator(self.experiment, self._mesh)
        figures = evaluator.figures(self.state, data)
        if can(self.model, self.spec, "translate"):
            figures |= translated_events(self.model, self.state, data, evaluator.batch_size)
        if num_samples is None:
            num_samples = self.experiment.evaluation.num_samples
        if not num_samples:
            return figures
        if not show_progress:
            return figures | evaluator.log_prob(self.state, data, num_samples)
        title = f"−log p ({num_samples:,} samples)"
        unfinished = None if several() else self._unfinished(split, data, num_samples)
        known = min(data.num_examples, evaluator.batch_size * len(unfinished or ()))
        with progress(data.num_examples, known, title, unit="example") as bar:
            figures |= evaluator.log_prob(self.state, data, num_samples, bar.advance, unfinished)
        if unfinished is not None:
            unfinished.discard()
        return figures

    def _unfinished(self, split: str, data: Split, num_samples: int) -> Unfinished:
        """What an evaluation of these weights that was stopped has left of log p(x)."""
        weights = (jax.random.key_data(self.state.key), self.state.params, self.state.ema_params)
        conditions = {
            "split": split,
            "num_examples": data.num_examples,
            "num_samples": num_samples,
            "batch_size": self.experiment.evaluation.batch_size,
            "weights": parameters_digest((*weights, self.state.model_state)),
            "versions": [__version__, jax.__version__],
        }
        return Unfinished(self.folder, conditions)

    def evaluate_lead_times(self, split: str = "test") -> LeadTimes:
        """Figures of forecasts over a split by lead time, beside those that learned nothing.

        Args:
          split: whose wanted times are asked for.

        Raises:
          UserError: the family cannot forecast, or the data are no sequences.
        """
        require(self.model, self.spec, "forecast")  # before data are read
        size = self.experiment.evaluation.batch_size
        return evaluate_lead_times({MODEL: (self.model, self.state)}, self._open(split), size)

    def evaluate_other_times(self, split: str = "test") -> dict[str, LeadTimes]:
        """Whether forecasts answer the times asked for: `evaluate_lead_times` with other times.

        Args:
          split: whose examples are forecast.

        Returns:
          "half" and "double", at half and twice the distance, where the source has such splits, as
          synthetic storms have of "test"; and "shuffled", told the times of other frames.

        Raises:
          UserError: the family cannot forecast, or the data are no sequences.
        """
        require(self.model, self.spec, "forecast")
        size = self.experiment.evaluation.batch_size
        members = {MODEL: (self.model, self.state)}
        return evaluate_other_times(members, self.experiment.data, split, size)

    def evaluate_samples(
        self, classifier: "Run", num: int = 1000, seed: int = 0
    ) -> dict[str, Figure]:
        """What a classifier reads from samples: which classes there are, and whether as asked.

        Args:
          classifier: a run that classifies images of the same data.
          num: samples; a conditional family is asked for each class in turn.
          seed: of the samples.

        Returns:
          As `gm_jax.evaluation.samples.evaluate_samples`.

        Raises:
          UserError: where the family cannot sample, or the classifier cannot read its images.
        """
        require(self.model, self.spec, "sample")
        try:
            check_reader(classifier.model, classifier.spec, self.spec)
        except UserError as error:
            raise error.of(f"the classifier {classifier.folder}") from None
        return evaluate_samples(
            self.model, self.state, classifier.model, classifier.state, num, seed
        )

    def sample_quality(
        self,
        features: "Run | Features | FeaturesName" = "random",
        num: int = 10_000,
        seed: int = 0,
        split: str = "test",
        *,
        show_progress: bool = False,
    ) -> SampleQuality:
        """Samples as a set beside the images of a split: FID, KID, precision, recall and others.

        Args:
          features: in which they are compared: a run that classifies images of the same data, any
            `gm_jax.evaluation.features.Features`, "random" for those nobody trained, or
            "inception" for those of FID (`gm_jax.evaluation.named_features.FeaturesName`).
          num: samples.
          seed: of the samples.
          split: of the images.
          show_progress: whether to show that of drawing them.

        Returns:
          As `gm_jax.evaluation.quality.sample_quality`.

        Raises:
          UserError: where the family cannot sample, the features are not for such images, or there
            are too few samples or images.
        """
        require(self.model, self.spec, "sample")
        check_num(num)
        known = self._features(features)
        with contextlib.ExitStack() as stack:
            bar: Bar | None = None
            if show_progress and num > chunk_size(self.spec):
                bar = stack.enter_context(progress(num, 0, "samples", unit="image"))
            return sample_quality(
                self.model,
                self.state,
                known,
                self.experiment.data,
                num=num,
                seed=seed,
                split=split,
                data_seed=self.experiment.seed,
                watch=None if bar is None else lambda done: bar.advance(done, {}),
            )

    def _features(self, features: "Run | Features | FeaturesName") -> Features:
        if isinstance(features, str):
            return named_features(features, self.spec)
        if not isinstance(features, Run):
            return features
        name = features.experiment.name
        try:
            return ClassifierFeatures(features.model, features.state, name, self.spec)
        except UserError as error:
            raise error.of(f"the classifier {features.folder}") from None

    def batch(self, num: int, split: str = "test") -> dict[str, np.ndarray]:
        """`num` examples spread over a split (all, if it has fewer), as they enter the model."""
        self._check_num(num)
        return self._open(split).example_batch(num)

    def export(self, out: str | Path) -> Path:
        """Writes the weights, those that are sampled with, as a .safetensors file.

        `gm_jax.open` opens it, `gm_jax.load_weights` gives its arrays, `gm_jax.fit(..., init=out)`
        starts from it.

        Args:
          out: the file; its folder is made.

        Returns:
          The file.

        Raises:
          UserError: for another ending.
        """
        path = Path(out)
        if path.suffix != SUFFIX:
            raise UserError(f"{path}: a file of weights must end in {SUFFIX}", "--out")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.weights().save(path)
        return path

    def weights(self) -> Weights:
        """The arrays that are sampled with, by name, and what they are of."""
        return weights_of(self.experiment, self.state, self._numerics)

    def paint(self, stem: str = "final", num: int = 64) -> list[Path]:
        """Writes pictures of samples and reconstructions (of the test split) to samples/.

        Raises:
          UserError: there is no folder, but a file of weights.
        """
        if self.folder.is_file():
            raise UserError(f"{self.folder} is a file of weights: pictures need a run's folder")
        painter = Painter(self.model, picture_examples(self._open("test")), num)
        folder = RunFolder(self.folder).samples
        folder.mkdir(parents=True, exist_ok=True)
        made = painter.paint(self.state, folder, stem)
        return [folder / (f"{stem}.png" if n == "samples" else f"{stem}_{n}.png") for n in made]

    def here(self) -> "Run":
        """The same run on the devices of this process alone.

        Of several that trained it together (`jax.distributed`) all have to ask for it; each can
        then draw without the others. Of one process it is the run itself.
        """
        if not several():
            return self
        mesh = DataMesh(1, 1, devices=jax.local_devices())
        state = self._mesh.here(self.state)
        return Run(self.folder, self.experiment, state, mesh, self._numerics)

    def _drawn_by(self, sampling: Mapping[str, Any]) -> "Run":
        """The same run with another way of drawing."""
        model = drawn_by(self.model, sampling)
        experiment = dataclasses.replace(self.experiment, model=model)
        return Run(self.folder, experiment, self.state, self._mesh, self._numerics)

    def _open(self, split: str) -> Split:
        opened = self.experiment.data.open(split, self.experiment.seed)
        check_same_columns(self.spec, opened.spec)
        return opened

    def _method(self, ability: str) -> Callable[..., Any]:
        require(self.model, self.spec, ability)
        return compiled(self.model, ability)

    @functools.cached_property
    def _code_shape(self) -> tuple[int, ...]:
        """Of one code, or of one latent."""
        if can(self.model, self.spec, "draw_latents"):
            draw_one = compiled(self.model, "draw_latents")
            one = jax.eval_shape(lambda state: draw_one(state, sample_rngs(0), 1), self.state)
            return one.shape[1:]
        image = np.zeros((1, *self.spec.shape), np.float32 if self.spec.continuous else np.uint8)
        batch = {"image": image, "label": np.zeros(1, np.int32)}
        return jax.eval_shape(compiled(self.model, "encode"), self.state, batch).shape[1:]

    def _codes(self, z: Any) -> np.ndarray:
        """Checks codes or latents.

        Raises:
          UserError: for another shape, or what is no number.
        """
        try:
            codes = np.asarray(z)
        except ValueError as error:  # lists of different lengths
            raise UserError(f"codes must be an array ({error})") from None
        if codes.dtype.kind not in "fiu":
            raise UserError(f"codes must be numbers, not {codes.dtype}")
        if codes.ndim == 0 or codes.shape[1:] != self._code_shape:
            wanted = ", ".join(map(str, ("B", *self._code_shape)))
            raise UserError(f"codes must have shape [{wanted}], not {list(codes.shape)}")
        return codes

    def _labels(self, condition: Any, num: int) -> np.ndarray | None:
        """Labels as int32 [num].

        Raises:
          UserError: for another number of labels, or labels that the data do not have.
        """
        if condition is None:
            return None
        labels = np.asarray(condition)
        if labels.dtype.kind not in "iu" or labels.shape not in ((), (num,)):
            raise UserError(
                f"the condition must be one integer label or {num}, "
                f"not {labels.dtype} {list(labels.shape)}"
            )
        classes = self.spec.num_classes
        if classes is None:
            raise UserError("the data of this run have no labels: leave out the condition")
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            raise UserError(
                f"labels must be 0 to {classes - 1}, not {labels.min()}..{labels.max()}"
            )
        return np.broadcast_to(labels.astype(np.int32), (num,))

    def _batch(self, batch: Any) -> dict[str, Any]:
        """Checks images given as an array [B, H, W, C] or as a batch.

        Raises:
          UserError: for another shape, another type, or levels out of range.
        """
        whole = dict(batch) if isinstance(batch, Mapping) else {"image": batch}
        image = np.asarray(whole["image"])
        if image.ndim != 4 or image.shape[1:] != self.spec.shape:
            raise UserError(
                f"images must have shape [B, {', '.join(map(str, self.spec.shape))}], "
                f"not {list(image.shape)}"
            )
        if self.spec.continuous:
            if image.dtype != np.float32:
                raise UserError(f"points must be float32, not {image.dtype}")
            return {k: v for k, v in whole.items() if k in ("image", "label")}
        if image.dtype != np.uint8:
            raise UserError(f"images must be uint8 levels, not {image.dtype}")
        if image.size and image.max() >= self.spec.num_levels:
            raise UserError(
                f"images must hold levels 0 to {self.spec.num_levels - 1}, not {image.max()}"
            )
        return {k: v for k, v in whole.items() if k in ("image", "label")}

    def _check_lines(self, lines: int, num: int) -> None:
        if num < 2:
            raise UserError(f"interpolation needs at least 2 images a line, not {num}")
        self._check_num(lines * num)

    def _check_num(self, num: int) -> None:
        if num < 1:
            raise UserError(f"the number of images must be at least 1, not {num}")
        most = _MOST_VALUES // self.spec.num_dims
        if num > most:
            raise UserError(f"{num} images are too many at once: give at most {most}")


def fit(
    experiment: Experiment,
    folder: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    data: Any = None,
    init: str | Path | None = None,
    init_partial: bool = False,
) -> Run:
    """Trains an experiment in a folder; goes on with the run that is there.

    Args:
      experiment: what to train.
      folder: the run's folder; None: runs/<name of the experiment>.
      callbacks: are told of figures, pictures and checkpoints as they come, beside TensorBoard.
      data: images [N, H, W, C] of 1 to 16 channels, or [N, H, W], in place of the experiment's own:
        alone, with labels [N] as (images, labels), or either by split, {"train": ..., "test": ...}.
        Real numbers need a range, as `experiment.replace(**{"data.range": (0, 1)})` says. They are
        kept in the user's cache by their digest, where the run finds them again.
      init: a .safetensors file, or the folder of a run, whose weights a new run starts from.
      init_partial: whether arrays of it that do not fit are left out, instead of refused.

    Raises:
      UserError: as `train` does; or the arrays do not fit.
      KeyboardInterrupt: after Ctrl-C, when the state is saved; the same call resumes.
    """
    if data is not None:
        experiment = dataclasses.replace(experiment, data=with_arrays(experiment.data, data))
    path = default_folder(experiment) if folder is None else Path(folder)
    start = None if init is None else Init(init, init_partial)
    result = train(experiment, path, callbacks, start)
    if result.signum == signal.SIGINT:  # saved; now the caller's own loop stops too
        raise KeyboardInterrupt
    if result.signum is not None:
        raise SystemExit(128 + result.signum)
    return finished_run(experiment, path, result)


def finished_run(experiment: Experiment, folder: Path, result: TrainResult) -> Run:
    """The run after training, at the checkpoint the experiment evaluates with."""
    if experiment.evaluation.checkpoint == "best":
        return open_run(folder, "best")
    mesh = mesh_of(experiment, experiment.sharding.data)
    return Run(folder, experiment, result.state, mesh)


def default_folder(experiment: Experiment) -> Path:
    """runs/<name>, e.g. runs/mnist/pixelcnn-paper of mnist/pixelcnn:paper."""
    return Path("runs") / (experiment.name or "unnamed").replace(":", "-")


def open_run(
    folder: str | Path,
    step: int | Literal["latest", "best"] | None = None,
    experiment: str | Path | None = None,
) -> Run:
    """A run from its folder, or from weights on their own (`open_weights`).

    Args:
      folder: where it was trained.
      step: a step that has a checkpoint, "latest" or "best"; None: what the experiment evaluates.
      experiment: file (or name of an experiment) that has the classes which are not of gm_jax;
        None: the one the run was trained from, if it is still there as it was.

    Raises:
      UserError: where there is no run, no such checkpoint, or a damaged one.
    """
    path = Path(folder)
    if is_weights(path):
        if step is not None:
            raise UserError(f"{path} has the weights of one step: leave {step} out", "--step")
        return open_weights(path, experiment)
    code = None if experiment is None else read_code(*resolve(str(experiment)))[0]
    found = restore(path, step, code)
    return Run(path, found.experiment, found.state, found.mesh, found.numerics)


def load_run(path: Path, code: Code | None = None) -> Experiment:
    """The experiment of a run's folder, or of a file of weights; no checkpoint is read of a run.

    Args:
      path: of either.
      code: that has the classes which are not of gm_jax.

    Raises:
      UserError: there is no run, or it can't be read.
    """
    if is_weights(path):
        weights = read_weights(path)
        try:
            return weights.experiment(code)[0]
        except UserError as error:
            raise error.of(path) from error
    return RunFolder(path).load(code)[0]


def open_weights(path: str | Path, experiment: str | Path | None = None) -> Run:
    """A run from a .safetensors file that `Run.export` wrote: to draw with, and to evaluate.

    What it draws is what the run drew that was exported, to the bit. It has no record, and makes no
    pictures.

    Args:
      path: of the file, or of a folder that has a model.safetensors.
      experiment: file (or name of an experiment) that has the classes which are not of gm_jax.

    Raises:
      UserError: it can't be read, or is no file of gm_jax.
    """
    weights = read_weights(path)
    code = None if experiment is None else read_code(*resolve(str(experiment)))[0]
    try:
        loaded, spec = weights.experiment(code)
        state = state_from(weights, loaded.model, spec, loaded.seed)
    except UserError as error:
        raise error.of(path) from error
    mesh = mesh_of(loaded)
    state = jax.device_put(state, mesh.for_state(state))
    return Run(Path(path), loaded, state, mesh, weights.record.get("numerics"))
