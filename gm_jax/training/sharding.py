"""The mesh: the only file that names one. State is replicated, batches are split over devices."""

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gm_jax.errors import UserError
from gm_jax.evaluation.split import Evaluator
from gm_jax.experiment import Experiment


class DataMesh:
    """A one-axis mesh over which each batch is split.

    Attributes:
      replicated: sharding of the state and of resident data.
      batch: sharding of an array [B, ...] over its first axis.
      batches: sharding of an array [K, B, ...] over its second axis.
    """

    def __init__(self, batch_size: int, num_devices: int | None = None):
        """Takes `num_devices`, or the most devices that divide the batch size.

        Raises:
          UserError: for more devices than there are, or a batch that does not divide by them.
        """
        devices = jax.devices()
        if num_devices is None:
            num_devices = max(n for n in range(1, len(devices) + 1) if batch_size % n == 0)
        if num_devices > len(devices):
            raise UserError(f"sharding.data is {num_devices}, but there are {len(devices)} devices")
        if batch_size % num_devices:
            raise UserError(
                f"data.batch_size {batch_size} does not divide by sharding.data {num_devices}"
            )
        mesh = Mesh(devices[:num_devices], ("data",))
        self.num_devices = num_devices
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self.batch = NamedSharding(mesh, PartitionSpec("data"))
        self.batches = NamedSharding(mesh, PartitionSpec(None, "data"))

    def for_batch(self, batch_size: int) -> NamedSharding:
        """Sharding of a batch of another size: split if it divides, else replicated."""
        return self.replicated if batch_size % self.num_devices else self.batch


def make_evaluator(experiment: Experiment, mesh: DataMesh) -> Evaluator:
    """An evaluator that puts batches where the state lives."""
    sharding = mesh.for_batch(experiment.evaluation.batch_size)
    return Evaluator(
        experiment.model,
        experiment.data.transforms,
        experiment.evaluation.batch_size,
        lambda batch: jax.device_put(batch, sharding),
    )


def on_accelerator() -> bool:
    """Whether the default backend is anything but a CPU."""
    return jax.default_backend() != "cpu"
