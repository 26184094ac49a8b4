"""The mesh: the only file that names one. Batches are split over devices; the state may be.

By default each device has the whole state. Where it is split (`Sharding.state_min_size`,
`state_rules`), each device keeps its part of parameters, averages and optimizer, and a step gathers
the parameters it computes with: fully sharded data parallelism (Rajbhandari et al. 2020, "ZeRO").
"""

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gm_jax.errors import UserError
from gm_jax.evaluation.split import Evaluator
from gm_jax.experiment import Experiment, Sharding
from gm_jax.model import TrainState
from gm_jax.training.processes import several

_WHOLE = Sharding()
_SPLIT_FIELDS = ("params", "model_state", "opt_state", "ema_params")  # step and key stay whole


class DataMesh:
    """A one-axis mesh over which each batch is split, and the state where that is wanted.

    Attributes:
      replicated: sharding of what is whole on each device, such as resident data.
      batch: sharding of an array [B, ...] over its first axis.
      batches: sharding of an array [K, B, ...] over its second axis.
    """

    def __init__(
        self,
        batch_size: int,
        num_devices: int | None = None,
        sharding: Sharding = _WHOLE,
        devices: Sequence[jax.Device] | None = None,
    ):
        """Takes `num_devices`, or the most devices that divide the batch size.

        Args:
          batch_size: B.
          num_devices: that share it.
          sharding: says how the state is split.
          devices: to take them from; None: all.

        Raises:
          UserError: for more devices than there are, or a batch that does not divide by them.
        """
        shared = devices is None and several()
        if devices is None:  # those of one process beside each other: each has rows of its own
            devices = sorted(jax.devices(), key=lambda device: device.process_index)
        if shared and (batch_size % len(devices) or num_devices not in (None, len(devices))):
            raise UserError(
                f"several processes share each batch over all {len(devices)} devices: "
                f"data.batch_size {batch_size} must divide by them, and sharding.data be none"
            )
        if num_devices is None:
            num_devices = max(n for n in range(1, len(devices) + 1) if batch_size % n == 0)
        if num_devices > len(devices):
            raise UserError(f"sharding.data is {num_devices}, but there are {len(devices)} devices")
        if batch_size % num_devices:
            raise UserError(
                f"data.batch_size {batch_size} does not divide by sharding.data {num_devices}"
            )
        self._mesh = Mesh(np.asarray(devices[:num_devices]), ("data",))
        self._sharding = sharding
        self.num_devices = num_devices
        self.replicated = self._named()
        self.batch = self._named("data")
        self.batches = self._named(None, "data")

    @property
    def splits_state(self) -> bool:
        """Whether parts of a state lie on different devices."""
        return self.num_devices > 1 and self._sharding.splits_state

    def for_batch(self, batch_size: int) -> NamedSharding:
        """Sharding of a batch of another size: split if it divides, else replicated."""
        return self.replicated if batch_size % self.num_devices else self.batch

    def for_state(self, state: TrainState) -> TrainState:
        """The sharding of each array of a state.

        Args:
          state: arrays, or their shapes.

        Raises:
          UserError: a rule splits nothing.
        """
        idle = [rule for rule in self._sharding.state_rules if not rule.endswith("=whole")]

        def place(path: Any, leaf: Any) -> NamedSharding:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            for rule in self._sharding.state_rules:
                pattern, _, axis = rule.rpartition("=")
                if re.search(pattern, name):
                    found = None if axis == "whole" else self._axis(leaf.shape, int(axis))
                    if found is not None and rule in idle:
                        idle.remove(rule)
                    return self._along(found)
            least = self._sharding.state_min_size
            return self._along(
                self._longest(leaf.shape)
                if least is not None and math.prod(leaf.shape) >= least
                else None
            )

        if not self.splits_state:
            return jax.tree.map(lambda _: self.replicated, state)
        parts = {field: getattr(state, field) for field in _SPLIT_FIELDS}
        placed = jax.tree_util.tree_map_with_path(place, parts)
        if idle:
            raise UserError(
                f"sharding.state_rules has {idle[0]}, which splits nothing: of the paths it is "
                f"found in, none has such an axis that {self.num_devices} devices divide"
            )
        return state.replace(step=self.replicated, key=self.replicated, **placed)

    def for_update(self, state: TrainState) -> TrainState:
        """Inside `jit`: the state as an update computes with it, its parameters whole.

        Without it XLA might split a layer's work by its weights instead of by the batch.
        """
        if not self.splits_state:
            return state
        whole = jax.lax.with_sharding_constraint(state.params, self.replicated)
        return state.replace(params=whole)

    def put(self, tree: Any, sharding: Any) -> Any:
        """Arrays of the host on the devices; each process has the same ones.

        Args:
          tree: of arrays; those that lie on the devices of several processes stay as they are.
          sharding: for all of them, or one for each.
        """
        if not several():
            return jax.device_put(tree, sharding)

        def place(array: Any, at: NamedSharding) -> jax.Array:
            if isinstance(array, jax.Array) and not array.is_fully_addressable:
                return array
            host = np.asarray(array)
            return jax.make_array_from_callback(host.shape, at, lambda index: host[index])

        if isinstance(sharding, NamedSharding):
            return jax.tree.map(lambda array: place(array, sharding), tree)
        return jax.tree.map(place, tree, sharding)

    def rows(self, batch_size: int) -> slice:
        """Which examples of a batch this process reads: those that its own devices compute with."""
        if not several():
            return slice(0, batch_size)
        parts = self.batch.addressable_devices_indices_map((batch_size,)).values()
        spans = [part[0].indices(batch_size)[:2] for part in parts if part is not None]
        return slice(min(start for start, _ in spans), max(stop for _, stop in spans))

    def join(self, rows: Any) -> Any:
        """Batches [K, B, ...] of the rows of each process, [K, b, ...]."""
        if not several():
            return rows
        return jax.tree.map(lambda x: jax.make_array_from_process_local_data(self.batches, x), rows)

    def here(self, state: TrainState) -> TrainState:
        """A state that this process can compute with alone; all have to ask for it together."""
        if not several():
            return state
        plain = state.replace(key=jax.random.key_data(state.key))
        whole = jax.jit(lambda x: x, out_shardings=self.replicated)(plain)
        local = jax.tree.map(lambda x: x.addressable_data(0), whole)
        return local.replace(key=jax.random.wrap_key_data(local.key))

    @functools.cached_property
    def greatest(self) -> Callable[[int], jax.Array]:
        """The greatest of a number that each process gives; it is not waited for."""
        reduce = jax.jit(jnp.max, out_shardings=self.replicated)

        def of_all(number: int) -> jax.Array:
            mine = np.full(len(self.batch.addressable_devices), number, np.int32)
            return reduce(jax.make_array_from_process_local_data(self.batch, mine))

        return of_all

    def _named(self, *axes: str | None) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec(*axes))

    def _along(self, axis: int | None) -> NamedSharding:
        return self.replicated if axis is None else self._named(*[None] * axis, "data")

    def _axis(self, shape: tuple[int, ...], axis: int) -> int | None:
        """The axis counted from the front, if the array has it and devices divide it."""
        if not -len(shape) <= axis < len(shape):
            return None
        axis %= len(shape)
        return axis if shape[axis] and shape[axis] % self.num_devices == 0 else None

    def _longest(self, shape: tuple[int, ...]) -> int | None:
        """The longest axis that devices divide, the last one of several."""
        fit = [axis for axis in range(len(shape)) if self._axis(shape, axis) is not None]
        return max(fit, key=lambda axis: (shape[axis], axis), default=None)


def mesh_of(experiment: Experiment, num_devices: int | None = None) -> DataMesh:
    """The mesh of an experiment, its state split as it says.

    Args:
      experiment: whose batch is shared.
      num_devices: None: the most that divide the batch size.
    """
    return DataMesh(experiment.data.batch_size, num_devices, experiment.sharding)


def make_evaluator(experiment: Experiment, mesh: DataMesh) -> Evaluator:
    """An evaluator that puts batches where the state lives."""
    placed = mesh.for_batch(experiment.evaluation.batch_size)
    return Evaluator(
        experiment.model,
        experiment.data.transforms,
        experiment.evaluation.batch_size,
        lambda batch: mesh.put(batch, placed),
        mesh.replicated,
    )


def on_accelerator() -> bool:
    """Whether the default backend is anything but a CPU."""
    return jax.default_backend() != "cpu"
