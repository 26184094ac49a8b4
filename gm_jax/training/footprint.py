"""What a training takes of each device: its state from shapes alone, a step by compiling it."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gm_jax.data.config import AnyData
from gm_jax.data.spec import DataSpec
from gm_jax.data.split import apply_spec, example_bytes
from gm_jax.data.transforms import FixedTransform
from gm_jax.experiment import Experiment
from gm_jax.model import TrainState
from gm_jax.training.checkpoint import with_key_data
from gm_jax.training.sharding import DataMesh
from gm_jax.training.step import abstract_state, make_train_step


@dataclasses.dataclass(frozen=True)
class StateSize:
    """How large a state is.

    Attributes:
      num_params: scalars that are learned.
      num_bytes: of all that a checkpoint has: parameters, averages, statistics, optimizer.
      device_bytes: of it on one device.
    """

    num_params: int
    num_bytes: int
    device_bytes: int


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What a step takes, with its state and resident data.

    Attributes:
      state: how large it is.
      data_bytes: of the split that is kept on each device; 0 where it is streamed.
      temporary_bytes: of a device: activations, gradients, parameters gathered for a step.
      total_bytes: of a device, all of it together.
      flops: of a device in a step, as XLA counts them: a loop's body once.
    """

    state: StateSize
    data_bytes: int
    temporary_bytes: int
    total_bytes: int
    flops: float


def state_size(template: TrainState, mesh: DataMesh) -> StateSize:
    """How large a state is on a mesh.

    Args:
      template: shapes of the state.
      mesh: that it would lie on.
    """
    plain = jax.eval_shape(with_key_data, template)
    placed = jax.tree.leaves(mesh.for_state(plain))
    arrays = jax.tree.leaves(plain)
    return StateSize(
        num_params=sum(math.prod(x.shape) for x in jax.tree.leaves(plain.params)),
        num_bytes=sum(math.prod(x.shape) * x.dtype.itemsize for x in arrays),
        device_bytes=sum(
            math.prod(at.shard_shape(x.shape)) * x.dtype.itemsize
            for x, at in zip(arrays, placed, strict=True)
        ),
    )


def footprint(experiment: Experiment, devices: Sequence[jax.Device]) -> Footprint:
    """What the experiment takes of each device; compiles its step, and reads no example.

    Args:
      experiment: to be trained.
      devices: that share it; `sharding.data` may take fewer.

    Raises:
      UserError: data are missing, or batch, state and devices do not fit.
    """
    num = experiment.sharding.data or len(devices)
    mesh = DataMesh(experiment.data.batch_size, num, experiment.sharding, devices)
    template = abstract_state(experiment.model, experiment.data.spec)
    resident, arrays, batches = _inputs(experiment.data)
    step: Any = make_train_step(
        experiment.model, experiment.data.transforms, mesh, resident, template
    )
    compiled = step.lower(template, arrays, batches).compile()
    memory: Any = compiled.memory_analysis()
    costs: Any = compiled.cost_analysis()
    total = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes  # outputs that take the place of the donated state
        + memory.temp_size_in_bytes
    )
    return Footprint(
        state=state_size(template, mesh),
        data_bytes=sum(math.prod(x.shape) * x.dtype.itemsize for x in arrays.values()),
        temporary_bytes=memory.temp_size_in_bytes,
        total_bytes=total,
        flops=costs.get("flops", math.nan),
    )


def _inputs(data: AnyData) -> tuple[bool, dict[str, Any], Any]:
    """Whether data are resident, and the shapes of a step's arrays and batches [1, B, ...]."""
    fixed = [t for t in data.transforms if isinstance(t, FixedTransform)]
    stored = apply_spec(fixed, data.source.spec)
    num = len(data.source.open(data.train))
    num = num if data.limit is None else min(num, data.limit)
    resident = num * example_bytes(stored) <= data.device_budget_mib * 2**20
    size = data.batch_size
    if resident:
        indices = jax.ShapeDtypeStruct((1, size), jnp.int32)
        return True, _arrays(stored, (num,)), indices
    index = {"index": jax.ShapeDtypeStruct((1, size), jnp.int32)}
    return False, {}, _arrays(stored, (1, size)) | index


def _arrays(spec: DataSpec, before: tuple[int, ...]) -> dict[str, jax.ShapeDtypeStruct]:
    dtype = jnp.float32 if spec.continuous else jnp.uint8
    arrays = {"image": jax.ShapeDtypeStruct((*before, *spec.shape), dtype)}
    if spec.num_classes is not None:
        arrays["label"] = jax.ShapeDtypeStruct(before, jnp.int32)
    for extra in spec.extras:
        shape = (*before, *extra.shape)
        arrays[extra.name] = jax.ShapeDtypeStruct(shape, jnp.dtype(extra.dtype))
    return arrays
