"""What a training takes, against sums made by hand."""

import jax
import numpy as np
import pytest

from gm_jax.cli.plan import num_bytes, some_devices
from gm_jax.cli.report import spoken
from gm_jax.errors import UserError
from gm_jax.experiment import Sharding
from gm_jax.experiment_file import load
from gm_jax.training.footprint import footprint, state_size
from gm_jax.training.sharding import DataMesh
from gm_jax.training.step import abstract_state


def test_state_and_data_are_counted_as_by_hand():
    experiment = load("digits/ae").quick().replace(**{"model.optimizer.ema_decay": 0.9})
    template = abstract_state(experiment.model, experiment.data.spec)
    sizes = [x.size for x in jax.tree.leaves(template.params)]
    # Parameters, Adam's two moments and the average; step, counts of Adam and of the rate; key.
    whole = 4 * 4 * sum(sizes) + 4 + 2 * 4 + 8
    found = state_size(template, DataMesh(8, 4))
    assert (found.num_params, found.num_bytes, found.device_bytes) == (sum(sizes), whole, whole)

    split = state_size(template, DataMesh(8, 4, Sharding(state_min_size=64)))
    wide = [x.size for x in jax.tree.leaves(template.params) if x.size >= 64]
    assert wide
    assert split.device_bytes == whole - 4 * 4 * sum(wide) * 3 // 4

    step = footprint(experiment, jax.devices()[:2])
    assert step.state == state_size(template, DataMesh(8, 2))
    assert step.data_bytes == 24 * (8 * 8 + 4)  # uint8 images and int32 labels
    inputs = step.state.device_bytes + step.data_bytes + 8 // 2 * 4  # and indices
    assert step.total_bytes >= inputs + step.temporary_bytes
    # Two products a layer forward, and twice as many back, for each of 4 examples a device.
    kernels = sum(x.size for x in jax.tree.leaves(template.params) if x.ndim == 2)
    assert 4 * kernels * 4 < step.flops < 12 * kernels * 4 + 40 * sum(sizes)


@pytest.mark.parametrize(
    ("text", "size"),
    [("16GiB", 2**34), ("16 gib", 2**34), ("16G", 2**34), ("80GB", 80 * 10**9), ("1.5M", 1572864)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert num_bytes(text) == size


@pytest.mark.parametrize("text", ["", "16", "GiB", "-1GiB", "0GiB", "16 apples", "1e3MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="--memory must be a size such as 16GiB or 80GB, not"):
        num_bytes(text)


def test_sizes_are_spoken():
    assert [spoken(x) for x in (5, 1536, 2**30, 2**45)] == ["5 bytes", "1.5 KiB", "1 GiB", "32 TiB"]


def test_devices_that_can_not_be_are_refused():
    assert len(some_devices(4)) == 4
    with pytest.raises(UserError, match="--devices must be at least 1, not 0"):
        some_devices(0)
    with pytest.raises(UserError, match="--devices is 5, but this process has only 4"):
        some_devices(5)
    assert np.all([d.platform == "cpu" for d in some_devices(1)])
