"""Pictures of a model: samples beside their means, reconstructions below their originals.

Points are drawn as a scatter picture, over real ones; so is a density, where the model has one.
Forecasts stand below what came.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from gm_jax.data.spec import DataSpec
from gm_jax.model import (
    Forecasts,
    HasDensity,
    Model,
    Reconstructs,
    SampleMeans,
    Samples,
    TrainState,
    Translates,
)
from gm_jax.rng import Rngs
from gm_jax.viz.density import density_grid, density_picture
from gm_jax.viz.grids import image_grid, save_png, side_by_side, unit_to_pixels
from gm_jax.viz.scatter import scatter_picture
from gm_jax.viz.strips import forecast_strip

NUM_POINTS = 2_000
"""Samples in a picture of points, and real points under them."""

_MOST_COLUMNS = 20
_STRIPS = 4  # sequences in a picture


class Painter:
    """Draws the same latents and the same examples each time, so that pictures show learning."""

    def __init__(self, model: Model, examples: Any, num: int = 64):
        """`examples` is a host batch to reconstruct; `num` samples are drawn.

        Where they are points, `NUM_POINTS` samples are drawn, over all `examples`.
        """
        self.model, self.examples, self.num = model, examples, num
        self._functions: dict[str, Any] = {}

    def samples(self, state: TrainState, seed: int = 0) -> np.ndarray | None:
        """Grid of samples (and, where the model has them, their means to the right)."""
        if not isinstance(self.model, Samples):
            return None
        rngs = Rngs(jax.random.key(seed)).at("sample")
        if state.spec.continuous:
            return points_picture(
                self._call("sample", state, rngs, NUM_POINTS), self.examples["image"]
            )
        columns = class_columns(self.model, state.spec)
        num = self.num if columns is None else max(1, self.num // columns) * columns
        images = self._call("sample", state, rngs, num)
        grid = image_grid(images, state.spec.num_levels, columns)
        if not isinstance(self.model, SampleMeans):
            return grid
        means = self._call("sample_means", state, rngs, num)
        return beside(grid, image_grid(unit_to_pixels(means), 256, columns))

    def reconstructions(self, state: TrainState) -> np.ndarray | None:
        """Rows of originals, what the model saw (if corrupted), and reconstructions.

        Points have none.
        """
        if not isinstance(self.model, Reconstructs) or state.spec.continuous:
            return None
        rngs = Rngs(state.key).at("eval", "reconstruct")
        rows = [np.asarray(self.examples["image"])]
        if getattr(self.model, "noise", 0):
            rows.append(self._call("corrupt", state, rngs, self.examples))
        rows.append(self._call("reconstruct", state, rngs, self.examples))
        return side_by_side(rows, state.spec.num_levels)

    def density(self, state: TrainState) -> np.ndarray | None:
        """Lines of equal density over real points (a curve over their histogram).

        For points of one or two dimensions, and a model that has a density.
        """
        spec = state.spec
        if not isinstance(self.model, HasDensity) or not spec.continuous or spec.num_dims > 2:
            return None
        real = np.asarray(self.examples["image"]).reshape(-1, spec.num_dims)
        grid = density_grid(real).reshape(-1, *spec.shape)
        if "log_density" not in self._functions:
            self._functions["log_density"] = jax.jit(self.model.log_density)
        return density_picture(np.asarray(self._functions["log_density"](state, grid)), real)

    def forecasts(self, state: TrainState) -> np.ndarray | None:
        """A few sequences: known frames, and what came above what was forecast."""
        if not isinstance(self.model, Forecasts) or not state.spec.is_sequence:
            return None
        some = {name: np.asarray(value)[:_STRIPS] for name, value in self.examples.items()}
        known = {name: some[name] for name in ("context", "context_time")}
        if "forecast" not in self._functions:
            self._functions["forecast"] = jax.jit(self.model.forecast)
        rngs = Rngs(state.key).at("eval", "forecast")
        drawn = np.asarray(self._functions["forecast"](state, rngs, known, some["time"]))
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
        if not isinstance(self.model, Translates) or spec.is_sequence:
            return None
        if "translate" not in self._functions:
            self._functions["translate"] = jax.jit(self.model.translate)
        made = np.asarray(self._functions["translate"](state, self.examples))
        return side_by_side([np.asarray(self.examples["image"]), made], spec.num_levels)

    def paint(self, state: TrainState, folder: Path, stem: str) -> dict[str, np.ndarray]:
        """Writes `stem`.png, `stem`_reconstructions.png and so on; returns the grids by name."""
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

    def _call(self, method: str, state: TrainState, rngs: Rngs, argument: Any) -> np.ndarray:
        if method not in self._functions:
            function = getattr(self.model, method)
            static = (2,) if isinstance(argument, int) else ()
            self._functions[method] = jax.jit(function, static_argnums=static)
        return np.asarray(self._functions[method](state, rngs, argument))


def class_columns(model: Any, spec: DataSpec) -> int | None:
    """Columns of a grid in which each class that takes turns has its own; None where none do."""
    conditional = getattr(model, "conditional", False)
    return spec.num_classes if conditional and (spec.num_classes or 99) <= _MOST_COLUMNS else None


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two grids of one height, with a gap between them."""
    gap = np.full((left.shape[0], 12, left.shape[2]), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def points_picture(points: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Points as they lie in batches, [N, H, W, C], over real ones: uint8 [H', W', 3]."""
    return scatter_picture(points.reshape(len(points), -1), real.reshape(len(real), -1))
