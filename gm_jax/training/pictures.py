"""Pictures of a model: samples beside their means, reconstructions below their originals.

Points are drawn as a scatter picture, over real ones, those of a table by pairs of columns; so is a
density, where the model has one. Forecasts stand below what came.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from gm_jax.data.sequences.checks import known_names
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import NumpyBatch, Split
from gm_jax.model import Family, TrainState, can, compiled
from gm_jax.rng import Rngs
from gm_jax.training.folder import RunFolder
from gm_jax.viz.density import density_grid, density_picture
from gm_jax.viz.grids import image_grid, save_png, side_by_side, unit_to_pixels
from gm_jax.viz.pairs import pairs_picture
from gm_jax.viz.scatter import scatter_picture
from gm_jax.viz.strips import forecast_strip
from gm_jax.viz.style import label_grid, theme

NUM_POINTS = 2_000
"""Samples in a picture of points, and real points under them."""

_EXAMPLES = 16  # images to reconstruct
_MOST_COLUMNS = 20
_STRIPS = 4  # sequences in a picture


def picture_examples(split: Split) -> NumpyBatch:
    """As many examples of a split as pictures show."""
    return split.example_batch(NUM_POINTS if split.spec.continuous else _EXAMPLES)


class Painter:
    """Draws the same latents and the same examples each time, so that pictures show learning."""

    def __init__(self, model: Family, examples: NumpyBatch, num: int = 64):
        """`examples` is a host batch to reconstruct; `num` samples are drawn.

        Where they are points, `NUM_POINTS` samples are drawn, over all `examples`.
        """
        self.model, self.examples, self.num = model, examples, num

    def samples(self, state: TrainState, seed: int = 0) -> np.ndarray | None:
        """Grid of samples (and, where the model has them, their means to the right)."""
        if not can(self.model, state.spec, "sample"):
            return None
        rngs = Rngs(jax.random.key(seed)).at("sample")
        if state.spec.continuous:
            points = self._call("sample", state, rngs, NUM_POINTS)
            return points_picture(points, self.examples["image"], state.spec)
        columns = class_columns(self.model, state.spec)
        num = self.num if columns is None else max(1, self.num // columns) * columns
        images = self._call("sample", state, rngs, num)
        grid = class_grid(images, state.spec.num_levels, columns)
        if not can(self.model, state.spec, "sample_means"):
            return grid
        means = unit_to_pixels(self._call("sample_means", state, rngs, num))
        return beside(
            label_grid(grid, columns=["samples"]),
            label_grid(class_grid(means, 256, columns), columns=["their means"]),
        )

    def reconstructions(self, state: TrainState) -> np.ndarray | None:
        """Rows of originals, what the model saw (if corrupted), and reconstructions.

        Points have none.
        """
        if state.spec.continuous or not can(self.model, state.spec, "reconstruct"):
            return None
        rngs = Rngs(state.key).at("eval", "reconstruct")
        rows = {"original": np.asarray(self.examples["image"])}
        if can(self.model, state.spec, "corrupt"):
            rows["corrupted"] = self._call("corrupt", state, rngs, self.examples)
        rows["reconstruction"] = self._call("reconstruct", state, rngs, self.examples)
        return label_grid(side_by_side([*rows.values()], state.spec.num_levels), [*rows])

    def density(self, state: TrainState) -> np.ndarray | None:
        """Lines of equal density over real points (a curve over their histogram).

        For points of one or two dimensions, and a model that has a density.
        """
        spec = state.spec
        if not spec.continuous or spec.num_dims > 2 or not can(self.model, spec, "log_density"):
            return None
        real = np.asarray(self.examples["image"]).reshape(-1, spec.num_dims)
        plane, names = spec.columns is None, spec.columns.names if spec.columns else ()
        grid = density_grid(real, plane).reshape(-1, *spec.shape)
        return density_picture(self._call("log_density", state, grid), real, plane, names)

    def forecasts(self, state: TrainState) -> np.ndarray | None:
        """A few sequences: known frames, and what came above what was forecast."""
        if not state.spec.is_sequence or not can(self.model, state.spec, "forecast"):
            return None
        some = {name: np.asarray(value)[:_STRIPS] for name, value in self.examples.items()}
        known = {name: some[name] for name in known_names(state.spec)}
        rngs = Rngs(state.key).at("eval", "forecast")
        drawn = self._call("forecast", state, rngs, known, some["time"])
        strips = [
            forecast_strip(
                some["context"][i],
                some["context_time"][i],
                some["time"][i],
                [("what came", some["image"][i]), ("forecast", drawn[i])],
                state.spec.num_levels,
            )
            for i in range(len(drawn))
        ]
        return np.concatenate(strips)

    def translations(self, state: TrainState) -> np.ndarray | None:
        """Rows of images and what was made of the other channels, for a model of images."""
        spec = state.spec
        if spec.is_sequence or not can(self.model, spec, "translate"):
            return None
        made = self._call("translate", state, self.examples)
        grid = side_by_side([np.asarray(self.examples["image"]), made], spec.num_levels)
        return label_grid(grid, ["original", "translation"])

    def paint(self, state: TrainState, folder: Path, stem: str) -> dict[str, np.ndarray]:
        """Writes `STEM.png`, `STEM_reconstructions.png` and so on; returns the grids by name."""
        grids = {
            "samples": self.samples(state),
            "reconstructions": self.reconstructions(state),
            "density": self.density(state),
            "forecasts": self.forecasts(state),
            "translations": self.translations(state),
        }
        made = {name: grid for name, grid in grids.items() if grid is not None}
        for name, grid in made.items():
            suffix = "" if name == "samples" else f"_{name}"
            save_png(folder / f"{stem}{suffix}.png", grid)
        return made

    def _call(self, ability: str, *arguments: Any) -> np.ndarray:
        return np.asarray(compiled(self.model, ability)(*arguments))


def newest_picture(folder: Path) -> Path | None:
    """What a run's samples look like: the picture made at its end, or the last while it trained."""
    samples = RunFolder(folder).samples
    made = [samples / "final.png", *sorted(samples.glob("step_*.png"), reverse=True)]
    made += sorted(samples.glob("final_*.png"))
    return next((path for path in made if path.is_file()), None)


def class_columns(model: Family, spec: DataSpec) -> int | None:
    """Columns of a grid in which each class that takes turns has its own; None where none do."""
    fits = (spec.num_classes or 99) <= _MOST_COLUMNS
    return spec.num_classes if model.conditional and fits else None


def class_grid(images: np.ndarray, num_levels: int, columns: int | None) -> np.ndarray:
    """A grid of images; where each class has a column, its number stands above it."""
    names = [] if columns is None else [str(label) for label in range(columns)]
    return label_grid(image_grid(images, num_levels, columns), columns=names)


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two grids of one height, with a gap between them."""
    gap = np.full((left.shape[0], 12, left.shape[2]), theme().paper, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def points_picture(points: np.ndarray, real: np.ndarray, spec: DataSpec) -> np.ndarray:
    """Points as they lie in batches, [N, H, W, C], over real ones: uint8 [H', W', 3].

    Columns of a table have units of their own, so each has an axis of its own.
    """
    points, real = points.reshape(len(points), -1), real.reshape(len(real), -1)
    if spec.columns is None:
        return scatter_picture(points, real)
    return pairs_picture(points, real, spec.columns.names)
