"""Figures over a split: masked means of what a model says of each example."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gm_jax.data.split import Split
from gm_jax.data.transforms import Transform, apply_random
from gm_jax.errors import UserError
from gm_jax.evaluation.figure import Figure
from gm_jax.evaluation.unfinished import Unfinished
from gm_jax.functional.dtypes import full_precision
from gm_jax.model import Family, HasLogProb, TrainState, can, kind_of
from gm_jax.rng import Rngs

Rows = list[tuple[np.ndarray, Mapping[str, Any]]]
Watch = Callable[[int, dict[str, float]], None]


def _masked(rows: Rows, name: str) -> np.ndarray:
    """A figure of all examples that are no padding.

    In float64 on the host: the mean of many float32 numbers loses no digits.
    """
    return np.concatenate([np.asarray(f[name], np.float64)[mask] for mask, f in rows])


def of_seen(values: np.ndarray) -> np.ndarray:
    """Values of examples of which something was seen: NaN ones are left out, unless all are."""
    there = ~np.isnan(values)
    return values[there] if there.any() else values


class Evaluator:
    """Scores states of one model on splits; compiles once for each batch size.

    The keys depend on the split and on the batch alone, never on history: the same state gets the
    same figures whenever it is asked.
    """

    def __init__(
        self,
        model: Family,
        transforms: tuple[Transform, ...],
        batch_size: int,
        place: Callable[[Any], Any] = lambda batch: batch,
        results: Any = None,
    ):
        """`place` puts a host batch where the state lives; `results` is where figures shall lie.

        None: where the computation leaves them. They are read on the host, by every process.
        """
        self.model = model
        self.batch_size = batch_size
        self.place = place

        def prepared(state: TrainState, batch: Any, key: jax.Array) -> tuple[Any, Rngs]:
            # Random transforms are keyed by the example's index, not by the batch.
            fixed = Rngs(state.key).at("eval", "transforms")
            return apply_random(transforms, fixed, batch, train=False), Rngs(key)

        def evaluate(state: TrainState, batch: Any, key: jax.Array) -> dict[str, jax.Array]:
            with full_precision():
                return model.evaluate(state, *prepared(state, batch, key))

        def log_prob(state: TrainState, batch: Any, key: jax.Array, num_samples: int) -> jax.Array:
            assert isinstance(model, HasLogProb)
            with full_precision():
                return model.log_prob(state, *prepared(state, batch, key), num_samples)

        where = {} if results is None else {"out_shardings": results}
        self._evaluate = jax.jit(evaluate, **where)
        self._log_prob = jax.jit(log_prob, static_argnums=3, **where)

    def figures(self, state: TrainState, split: Split) -> dict[str, Figure]:
        """What `model.evaluate` says, averaged over the split."""
        return self._reduce(state, split, self._evaluate)

    def log_prob(
        self,
        state: TrainState,
        split: Split,
        num_samples: int,
        watch: Watch | None = None,
        unfinished: Unfinished | None = None,
    ) -> dict[str, Figure]:
        """neg_log_prob in nats; in bits/dim too, of images and unless it is a surrogate.

        Args:
          state: what to score.
          split: on which examples.
          num_samples: effort of the estimate.
          watch: is told, after each batch, how many examples are done and their mean figures.
          unfinished: batches that are known from before, to which the others are added.

        Raises:
          UserError: where the model has no log_prob.
        """
        if not can(self.model, state.spec, "log_prob"):
            family = type(self.model).__name__
            raise UserError(f"{family} has no log_prob: give num_samples=0", "--num-samples 0")

        def negative(state: TrainState, batch: Any, key: jax.Array) -> dict[str, jax.Array]:
            return {"neg_log_prob": -self._log_prob(state, batch, key, num_samples)}

        figures = self._reduce(state, split, negative, watch, unfinished)
        nats = figures["neg_log_prob"]
        if nats.kind in ("exact", "bound") and not state.spec.continuous:
            scale = 1.0 / (state.spec.num_dims * math.log(2.0))
            figures["neg_log_prob_bits_per_dim"] = Figure(
                nats.value * scale, nats.kind, nats.n, nats.stderr * scale
            )
        return figures

    def _reduce(
        self,
        state: TrainState,
        split: Split,
        per_example: Callable[..., dict[str, jax.Array]],
        watch: Watch | None = None,
        unfinished: Unfinished | None = None,
    ) -> dict[str, Figure]:
        batches: list[Mapping[str, Any]] = [] if unfinished is None else unfinished
        num_known = len(batches)
        key = Rngs(state.key).at("eval", split.name).key
        rows: Rows = []
        for i, batch in enumerate(split.eval_batches(self.batch_size)):
            if i >= num_known:
                placed = self.place(batch)
                batches.append(per_example(state, placed, jax.random.fold_in(key, i)))
            rows.append((batch["mask"], batches[i]))
            # It waits for the batch, so only what takes long is watched.
            if watch is not None and i >= num_known:
                done = {name: _masked(rows, name) for name in rows[0][1]}
                num = len(next(iter(done.values())))
                watch(num, {name: float(values.mean()) for name, values in done.items()})
        figures = {}
        for name in rows[0][1]:
            values = _masked(rows, name)
            if state.spec.missing is not None:
                values = of_seen(values)
            stderr = float(values.std() / math.sqrt(len(values)))
            kind = kind_of(self.model, name, state.spec)
            figures[name] = Figure(float(values.mean()), kind, len(values), stderr)
        return figures
