"""The jitted training step: gather, transform, update, with donated state."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.data.split import Split, gather
from gm_jax.data.transforms import Transform, apply_random
from gm_jax.model import Family, Metrics, TrainState
from gm_jax.rng import Rngs
from gm_jax.training.sharding import DataMesh

TrainStep = Callable[[TrainState, Any, Any], tuple[TrainState, Metrics]]


def make_train_step(
    model: Family,
    transforms: tuple[Transform, ...],
    mesh: DataMesh,
    resident: bool,
    template: TrainState,
) -> TrainStep:
    """One dispatch: (state, arrays, batches) -> (state, metrics [K]); the state is donated.

    `template` has the shapes of the state, by which it lies on the mesh.

    Resident: `arrays` are the whole split on the device and `batches` are indices [K, B].
    Streamed: `arrays` is empty and `batches` are stacked batches [K, B, ...].
    """

    def one_step(state: TrainState, batch: Mapping[str, Any]) -> tuple[TrainState, Metrics]:
        rngs = Rngs(state.key).at("train", state.step)
        batch = apply_random(transforms, rngs.at("transforms"), batch, train=True)
        return model.update(mesh.for_update(state), batch, rngs)

    def dispatch(state: TrainState, arrays: Any, batches: Any) -> tuple[TrainState, Metrics]:
        def body(state: TrainState, item: Any) -> tuple[TrainState, Metrics]:
            return one_step(state, gather(arrays, item) if resident else item)

        if jax.tree.leaves(batches)[0].shape[0] == 1:  # no loop around a single step
            state, metrics = body(state, jax.tree.map(lambda x: x[0], batches))
            return state, jax.tree.map(lambda x: jnp.asarray(x)[None], metrics)
        return jax.lax.scan(body, state, batches)

    placed = mesh.for_state(template)
    return jax.jit(
        dispatch,
        donate_argnums=(0,),
        in_shardings=(placed, mesh.replicated, mesh.batches),
        out_shardings=(placed, mesh.replicated),
    )


def dispatches(
    split: Split, start: int, end: int, sizes: Iterable[int], mesh: DataMesh
) -> Iterator[tuple[Any, int]]:
    """The `batches` of each dispatch from step `start` to `end`, and its number of steps.

    Each of several processes reads the rows of its own devices.
    """
    rows = mesh.rows(split.batch_size)
    items: Iterator[Any] = (
        (split.indices_at(step)[rows] for step in itertools.count(start))
        if split.resident
        else split.stream(start, end - start, rows)
    )
    for size in sizes:
        stacked = jax.tree.map(lambda *xs: np.stack(xs), *itertools.islice(items, size))
        yield mesh.join(stacked), size


def init_state(model: Family, key: jax.Array, spec: Any, mesh: DataMesh) -> TrainState:
    """A fresh state, placed on the mesh."""
    placed = mesh.for_state(abstract_state(model, spec))
    init = _init_of(model, spec)
    return jax.jit(init, out_shardings=placed, compiler_options=_for_one_run())(key)


@functools.cache
def abstract_state(model: Family, spec: Any) -> TrainState:
    """Shapes and dtypes of the state, without computing it."""
    return jax.eval_shape(_init_of(model, spec), jax.random.key(0))


@functools.cache
def _init_of(model: Family, spec: Any) -> Callable[[jax.Array], TrainState]:
    """Makes a state of the root key. One function, so that it is traced once for all its uses."""

    def init(key: jax.Array) -> TrainState:
        # The root key stays whole in the state; init draws from its own phase.
        return model.init(Rngs(key).at("init"), spec).replace(key=key)

    return init


def _for_one_run() -> dict[str, int] | None:
    """Options of XLA's compiler for what runs once.

    On a CPU its highest level spends a second on every shape that is drawn at random, the lowest
    but one a fifth of it, for the same bits.
    """
    if jax.default_backend() != "cpu" or jax.config.read("jax_disable_most_optimizations"):
        return None
    return {"xla_backend_optimization_level": 1}
